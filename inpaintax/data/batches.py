"""Batches of a source: endless and shuffled to train on, in order to judge.

A training batch is a pure function of the seed and of its number. Grain counts
the numbers, makes batches ahead in threads and saves the position; its elements
are whole batches, since its cost for each is several times that of decoding a
64-pixel JPEG.
"""

import functools
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from inpaintax import images
from inpaintax.data import sources
from inpaintax.errors import InputError

if TYPE_CHECKING:
  import grain

# Streams of random numbers under one seed.
_EPOCHS, _CROPS = 0, 1


def train_batches(
  source: sources.Source,
  *,
  batch_size: int,
  size: int,
  seed: int,
  load_size: int | None = None,
  flip: bool = True,
  cache_bytes: int = 1 << 30,
  shard: tuple[int, int] = (0, 1),
  threads: int = 2,
) -> 'grain.DatasetIterator[np.ndarray]':
  """Shuffled, cropped and mirrored batches without end.

  Every image comes once in an epoch, in an order that differs from epoch to
  epoch; a batch may span two epochs, or several where the source is small. The
  n-th batch depends on `seed`, `batch_size` and n alone: not on threads, on
  what is in memory, on where the run was resumed, nor on the number of shards.

  Decoded (and resized) images are kept in memory as long as they fit into
  `cache_bytes`; those that no longer fit are decoded each time.

  Args:
    source: the photographs.
    batch_size: images in the whole batch, over all shards.
    size: side of the square crops, pixels. Each place is equally likely, the
      outermost ones included.
    seed: 0 to 2**32 - 1.
    load_size: short side to which an image is resized before the crop, at least
      `size`. None: images keep their size, but for those whose short side is
      below `size`, which are enlarged to it.
    flip: whether to mirror half of the crops, left to right.
    cache_bytes: memory for decoded images; 0 keeps none.
    shard: (index, count): of each batch, yield the index-th of count equal
      parts.
    threads: batches made at the same time in the background; 0: none, each is
      made when asked for.

  Returns:
    Iterator of uint8 `[batch_size / count, size, size, 3]`. Its `get_state()`
    and `set_state()` save and restore the position exactly; Grain's checkpoint
    handlers take it.

  Raises:
    InputError: an option is out of range, or `batch_size` does not divide by
      the count of shards. While iterating: an image cannot be decoded.
  """
  # Grain loads Orbax: seconds that only training need spend.
  import grain

  index, count = shard
  _check(source, batch_size=batch_size, size=size, load_size=load_size)
  if not 0 <= index < count:
    raise InputError(f'shard {index} of {count} does not exist')
  if batch_size % count:
    raise InputError(
      f'batch size {batch_size} does not divide by {count} shards: use a '
      f'multiple of {count}'
    )
  if not 0 <= seed < 2**32:
    raise InputError(f'seed {seed} is not in 0..{2**32 - 1}')
  if threads < 0:
    raise InputError(f'threads {threads} must be at least 0')
  shelf = _Shelf(source, size, load_size, cache_bytes)
  order = _Order(len(source), seed)
  share = batch_size // count

  def batch_at(position: int) -> np.ndarray:
    # Drawn for the whole batch, so that no shard's draws depend on another's
    # images; and as many draws whatever the options, so that they do not shift.
    chance = _generator(seed, _CROPS, position).random((batch_size, 3))
    start = index * share
    numbers = order.take(position * batch_size + start, share)
    batch = np.empty((share, size, size, 3), np.uint8)
    for row, number, (down, right, mirror) in zip(
      batch, numbers, chance[start : start + share].tolist(), strict=True
    ):
      image = shelf[number]
      top = int(down * (image.shape[0] - size + 1))
      left = int(right * (image.shape[1] - size + 1))
      crop = image[top : top + size, left : left + size]
      row[:] = crop[:, ::-1] if flip and mirror < 0.5 else crop
    return batch

  batches = grain.MapDataset.range(sys.maxsize).map(batch_at)
  options = grain.ReadOptions(
    num_threads=threads, prefetch_buffer_size=4 * threads
  )
  return iter(batches.to_iter_dataset(options))


def train_names(
  source: sources.Source, *, batch_size: int, seed: int, number: int
) -> list[str]:
  """Whose images a batch of `train_batches` has.

  Args:
    source: the photographs.
    batch_size: images in the whole batch.
    seed: the one of `train_batches`.
    number: of the batch, from 0.

  Returns:
    Names, in the batch's order.
  """
  order = _Order(len(source), seed)
  found = order.take(number * batch_size, batch_size)
  return [source.name(index) for index in found]


def eval_batches(
  source: sources.Source,
  *,
  batch_size: int,
  size: int,
  load_size: int | None = None,
) -> Iterator[tuple[np.ndarray, list[str]]]:
  """All images once, in the source's order, their centres cropped.

  Args:
    source: the photographs.
    batch_size: images in a batch; the last may have fewer.
    size: side of the square crops, pixels.
    load_size: short side to which an image is resized before the crop, at least
      `size`. None: to `size`, so that nothing more than the ends of the longer
      side is lost.

  Returns:
    Iterator of (uint8 `[B, size, size, 3]`, the names of the B images).

  Raises:
    InputError: an option is out of range. While iterating: an image cannot be
      decoded.
  """
  _check(source, batch_size=batch_size, size=size, load_size=load_size)
  shelf = _Shelf(source, size, load_size or size, 0)

  def batch_from(start: int) -> tuple[np.ndarray, list[str]]:
    numbers = range(start, min(start + batch_size, len(source)))
    batch = np.empty((len(numbers), size, size, 3), np.uint8)
    for row, number in zip(batch, numbers, strict=True):
      image = shelf[number]
      top = (image.shape[0] - size) // 2
      left = (image.shape[1] - size) // 2
      row[:] = image[top : top + size, left : left + size]
    return batch, [source.name(number) for number in numbers]

  # Not a generator itself: wrong options are to be refused at once.
  return map(batch_from, range(0, len(source), batch_size))


class _Order:
  """The endless order of a source's images: one permutation an epoch.

  Not Grain's own shuffle: with few images that costs milliseconds for each
  number (it draws from 2**16 numbers until one is small enough).
  """

  def __init__(self, length: int, seed: int):
    self._length = length
    # Two epochs suffice, but several threads may be at work on a boundary.
    self._epoch = functools.lru_cache(maxsize=4)(
      lambda epoch: _generator(seed, _EPOCHS, epoch).permutation(length)
    )

  def take(self, start: int, count: int) -> list[int]:
    """The images at the positions from `start` on."""
    numbers: list[int] = []
    while len(numbers) < count:
      epoch, place = divmod(start + len(numbers), self._length)
      rest = count - len(numbers)
      numbers += self._epoch(epoch)[place : place + rest].tolist()
    return numbers


class _Shelf:
  """Decoded and resized images of a source, kept while there is room."""

  def __init__(
    self,
    source: sources.Source,
    size: int,
    load_size: int | None,
    cache_bytes: int,
  ):
    self._source = source
    self._size = size
    self._load_size = load_size
    self._kept: dict[int, np.ndarray] = {}
    self._room = cache_bytes
    self._lock = threading.Lock()

  def __getitem__(self, number: int) -> np.ndarray:
    """The image, both sides at least `size`."""
    image = self._kept.get(number)
    if image is not None:
      return image
    image = self._source[number]
    if image.dtype != np.uint8 or image.shape[2:] != (3,):
      raise InputError(
        f'{self._source.name(number)}: a source gives uint8 [H, W, 3], this is'
        f' {image.dtype} {list(image.shape)}.'
      )
    side = self._load_size or max(self._size, min(image.shape[:2]))
    try:
      image = images.resize_short_side(image, side)
    except InputError as error:
      raise InputError(f'{self._source.name(number)}: {error}') from error
    # Two threads may have come for the same image: it is counted once.
    with self._lock:
      if number not in self._kept and image.nbytes <= self._room:
        self._room -= image.nbytes
        self._kept[number] = image
    return image


def _generator(seed: int, stream: int, place: int) -> np.random.Generator:
  """The random numbers of one place in one of a seed's streams."""
  return np.random.default_rng([seed, stream, place])


def _check(
  source: sources.Source,
  *,
  batch_size: int,
  size: int,
  load_size: int | None,
) -> None:
  """Refuses what no batch can be made of."""
  if not len(source):
    raise InputError('the data source is empty')
  if batch_size < 1 or size < 1:
    raise InputError(
      f'batch size {batch_size} and crop size {size} must be at least 1'
    )
  if load_size is not None and load_size < size:
    raise InputError(
      f'images loaded at {load_size} pixels are too small for crops of {size}: '
      'raise the load size or leave it out'
    )
