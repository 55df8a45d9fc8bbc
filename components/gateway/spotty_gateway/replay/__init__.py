"""What would have happened: a log of inputs, walked through the same engine under other settings."""
