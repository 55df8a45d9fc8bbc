"""The self-test: `python -m spotty_hardware.selftest --pin 17` takes a person from a wire to a verdict.

It needs no cloud and no Spotify. `judge` decides and is pure; `bench` is where edges and time come from, real or
played; `guide` is the talk and `words` its vocabulary; `__main__` is the command line.
"""
