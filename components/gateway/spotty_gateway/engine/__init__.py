"""The decision engine: events in, commands out; no I/O, no clock, no threads."""
