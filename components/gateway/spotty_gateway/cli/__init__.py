"""The command `spotty`, one module a command."""
