"""The dashboard's and everybody's HTTP API."""
