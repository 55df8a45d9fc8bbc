"""What gateways tell: from the queue into the tables. It starts without the api's libraries."""
