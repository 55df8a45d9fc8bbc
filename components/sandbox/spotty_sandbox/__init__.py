"""The world around the gateway, on one laptop."""
