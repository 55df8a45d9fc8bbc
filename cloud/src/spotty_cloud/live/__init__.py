"""The dashboards' WebSocket: who may connect, and who is connected. What is told there is sent by ingest."""
