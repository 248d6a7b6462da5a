"""SIGTERM, SIGINT and SIGUSR1 to a training run.

The first two ask it to finish its step, save it and end; a second one ends it
at once. SIGUSR1 asks it to save, and go on.
"""

import os
import signal
import threading
from typing import Any

from experiments import program

_STOP = (signal.SIGTERM, signal.SIGINT)


class Requests:
  """What signals have asked for, while in use as a context manager.

  A thread of its own hears them: a handler in Python would have to wait for a
  step, or for the compiler.

  Attributes:
    stop: the number of the signal that asks to end, or None.
    save: whether one asks to save.
  """

  def __init__(self) -> None:
    """Hears nothing yet."""
    self.stop: int | None = None
    self.save = False

  def __enter__(self) -> 'Requests':
    reader, self._writer = os.pipe()
    os.set_blocking(self._writer, False)
    self._before_fd = signal.set_wakeup_fd(self._writer)
    # The byte in the pipe says it all; but without a handler, none comes.
    hear: Any = lambda *_: None
    self._before = {
      number: signal.signal(number, hear) for number in (*_STOP, signal.SIGUSR1)
    }
    threading.Thread(target=self._listen, args=(reader,), daemon=True).start()
    return self

  def __exit__(self, *_: object) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)
    signal.set_wakeup_fd(self._before_fd)
    os.close(self._writer)

  def _listen(self, reader: int) -> None:
    while heard := os.read(reader, 1):
      number = heard[0]
      if number == signal.SIGUSR1:
        self.save = True
      elif number in _STOP:
        if self.stop is not None:
          program.say(
            'ended at once; the checkpoints that were there are intact.'
          )
          os._exit(128 + number)
        self.stop = number
        program.say(
          f'{signal.Signals(number).name}: ends after this step and saves it;'
          ' once more: at once, without.'
        )
    os.close(reader)
