"""Programs: flags and wiring only. What they do lives in `inpaintax`."""

import signal
import sys

# With `python -m`, until a program listens (`interruption`): Ctrl-C while
# modules are imported ends it at once, and not in a traceback of theirs.
if sys.argv[:1] == ['-m'] and (
  signal.getsignal(signal.SIGINT) == signal.default_int_handler
):
  signal.signal(signal.SIGINT, signal.SIG_DFL)
