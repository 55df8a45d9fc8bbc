"""What is looked after by the clock: gateways that have gone silent, consents that run out. Nothing is ever scanned."""
