"""The stream of batches, watched: what came last, and whether any comes."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from experiments import program

_PATIENCE = 60.0


class Feed:
  """A stream that remembers the last that it gave, and tells if it hangs.

  A disk in a network that is gone answers neither yes nor no. A run waits for
  it, and goes on when it is back; but not without a word.

  Attributes:
    last: what was given last; None at first.
  """

  def __init__(self, stream: Iterator[Any], *, patience: float = _PATIENCE):
    """Gives nothing yet.

    Args:
      stream: of batches.
      patience: how long one may take before that is told, seconds.
    """
    self._stream = stream
    self._patience = patience
    self._since: float | None = None
    self.last: Any = None
    threading.Thread(target=self._watch, daemon=True).start()

  def __iter__(self) -> 'Feed':
    return self

  def __next__(self) -> Any:
    self._since = time.monotonic()
    self.last = next(self._stream)
    self._since = None
    return self.last

  def _watch(self) -> None:
    told = None
    while True:
      time.sleep(self._patience / 4)
      since = self._since
      waited = time.monotonic() - since if since is not None else 0.0
      if waited > self._patience and told != since:
        told = since
        program.say(
          f'warning: the next images have not come for {waited:.0f} s: can'
          ' --data still be read? Waiting.'
        )
