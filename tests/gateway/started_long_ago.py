"""`spotty greengrass`, in a hurry, in a process that says it has been up for so long that it may leave."""

import os
import signal
import sys
import time

from spotty_gateway.cli.component import LEAVES_AFTER_S, Component
from spotty_gateway.cli.foreground import STOP_SIGNALS, WAKE, lines_to_stdout
from spotty_gateway.cli.greengrass import SOCKET, TOKEN

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP_SIGNALS, WAKE))
    with lines_to_stdout("info"):
        began_s = time.monotonic() - LEAVES_AFTER_S
        code = Component(os.environ[SOCKET], os.environ[TOKEN], began_s, first_wait_s=0.01).live()
    sys.exit(code)
