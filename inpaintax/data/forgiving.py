"""Bad files among the photographs of a long training: skipped, and listed."""

import os
import pathlib
import threading
import time
from collections.abc import Callable

import numpy as np
from absl import logging

from inpaintax.data import sources
from inpaintax.errors import InputError

# Before a second try, seconds: the file may be on its way back.
_PAUSE = 0.2


class Forgiving:
  """A source in whose bad images' place the next good one stands.

  So a batch is still a function of the seed, of its number and of which images
  are bad. An image is bad if reading it fails twice, or if it is of no use.
  Each is named in a file, once, with the reason.
  """

  def __init__(
    self,
    source: sources.Source,
    listing: str | os.PathLike[str],
    *,
    share: float = 0.01,
    check: Callable[[tuple[int, int]], object] | None = None,
  ):
    """Wraps a source; reads nothing yet.

    Args:
      source: photographs.
      listing: file to which bad images are added: name, tab, reason.
      share: of the source's images that may be bad, at least one image.
      check: raises InputError for a shape (height, width) of no use.
    """
    self._source = source
    self._listing = pathlib.Path(listing)
    self._most = max(1, int(share * len(source)))
    self._check = check
    self._bad: dict[int, str] = {}
    self._lock = threading.Lock()

  def __len__(self) -> int:
    return len(self._source)

  def name(self, index: int) -> str:
    """What to call an image in tables and errors.

    Args:
      index: 0 to len - 1.

    Returns:
      The source's own name.
    """
    return self._source.name(index)

  def __getitem__(self, index: int) -> np.ndarray:
    """An image, or the next good one.

    Args:
      index: 0 to len - 1.

    Returns:
      uint8 `[H, W, 3]`.

    Raises:
      InputError: more images are bad than may be; the message names one.
    """
    for number in range(index, index + len(self)):
      number %= len(self)
      if number in self._bad:
        continue
      try:
        return self._read(number)
      except InputError as error:
        self._skip(number, str(error))
    raise InputError('no image of the source can be read')

  def _read(self, number: int) -> np.ndarray:
    try:
      image = self._source[number]
    except InputError:
      time.sleep(_PAUSE)
      image = self._source[number]
    if self._check is not None:
      try:
        self._check(image.shape[:2])
      except InputError as error:
        raise InputError(f'{self.name(number)}: {error}') from error
    return image

  def _skip(self, number: int, reason: str) -> None:
    with self._lock:
      if number in self._bad:
        return
      self._bad[number] = reason
      line = f'{self.name(number)}\t{reason}\n'
      # A run that goes on finds the same ones again.
      known = self._listing.read_text() if self._listing.exists() else ''
      if line not in known:
        with self._listing.open('a') as file:
          file.write(line)
      count = len(self._bad)
    if count > self._most:
      raise InputError(
        f'{count} of {len(self)} images are bad, named in {self._listing}, the'
        f' last one: {reason}: mend them, or take them away.'
      )
    logging.warning('skipped: %s (listed in %s)', reason, self._listing)
