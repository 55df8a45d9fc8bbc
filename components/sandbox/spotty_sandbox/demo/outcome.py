"""How a demo ends: by which signals, and with which exit codes."""

import signal

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PLAYED, NOT_SEEN, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
