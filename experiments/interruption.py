"""Signals: what ends a program from outside, and what a training makes of it.

SIGTERM, SIGINT (Ctrl-C) and SIGHUP (a terminal that is gone) end a program. A
training finishes its step and saves it first; a second signal ends it at once.
SIGUSR1 asks it to save, and go on.

A thread hears them: a handler in Python would have to wait for a step, for the
compiler or for other processes; and what it raises inside a callback is lost.
"""

import os
import signal
import threading
import time
from collections.abc import Callable

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# After which a program that has not ended by itself is ended, seconds.
_GRACE = 2.0
# Within which a second signal is the same one: of a launcher that tells the
# group of processes and each of them, say. Seconds.
_SAME = 0.5

_active: 'Requests | None' = None


class Interrupted(BaseException):
  """A signal has ended the program; what was to be saved is.

  Not an Exception, so that nothing on the way takes it for a failure.
  """

  def __init__(self, number: int, message: str):
    """Says which, and what it means.

    Args:
      number: of the signal.
      message: for the user.
    """
    super().__init__(message)
    self.number = number


class Requests:
  """What signals have asked for, while in use as a context manager.

  Attributes:
    stop: the number of the signal that asks to end, or None.
    save: whether one asks to save.
    since: when `stop` was set, on the clock of `time.monotonic`.
  """

  def __init__(self) -> None:
    """Hears nothing yet."""
    self.stop: int | None = None
    self.save = False
    self.since = 0.0

  def __enter__(self) -> 'Requests':
    global _active
    _active = self
    return self

  def __exit__(self, *_: object) -> None:
    global _active
    _active = None


def listen(say: Callable[[str], None]) -> None:
  """From now on signals are heard. Once, by the main thread.

  Args:
    say: tells the user something.
  """
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
  take_signals()
  threading.Thread(target=_hear, args=(reader, say), daemon=True).start()


def take_signals() -> None:
  """Takes signals from who had them: again, where JAX has taken SIGTERM."""
  for number in (*_STOP, signal.SIGUSR1):
    # As nohup has it: a terminal may go. But not SIGINT, which shells have jobs
    # in the background ignore.
    ignored = signal.getsignal(number) == signal.SIG_IGN
    if not (ignored and number == signal.SIGHUP):
      signal.signal(number, _handle)


def _handle(number: int, _: object) -> None:
  """In the main thread: ends what is no training."""
  if _active is None and number in _STOP:
    raise Interrupted(number, _ended(number))


def _hear(reader: int, say: Callable[[str], None]) -> None:
  while heard := os.read(reader, 1):
    number = heard[0]
    if number == signal.SIGUSR1:
      if _active is None:
        say('SIGUSR1: there is nothing to save yet.')
      else:
        _active.save = True
    elif number in _STOP:
      if _active is None:
        timer = threading.Timer(_GRACE, _stop, (number, say))
        timer.daemon = True
        timer.start()
      else:
        _stop(number, say)


def _stop(number: int, say: Callable[[str], None]) -> None:
  """Asks a training to end; ends all else, and what was asked before."""
  if _active is None:
    say(_ended(number))
    os._exit(128 + number)
  if _active.stop is not None:
    if time.monotonic() - _active.since < _SAME:
      return
    say('ended at once; the checkpoints that were there are intact.')
    os._exit(128 + number)
  _active.stop, _active.since = number, time.monotonic()
  say(
    f'{signal.Signals(number).name}: ends after this step and saves it;'
    ' once more: at once, without.'
  )


def _ended(number: int) -> str:
  return f'ended by {signal.Signals(number).name}.'
