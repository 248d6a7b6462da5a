"""Random-access sources of photographs, opened by name.

| spec | photographs |
| --- | --- |
| `photos`, `photos:train`, `photos:val` | those inside the scikit-image wheel |
| `folder:DIR` | all below a folder, sorted by path |
| `tar:GLOB` | members of uncompressed tars, in the tars' own order |
| `tfds:NAME/CONFIG:SPLIT`, `tfds:/DIR:SPLIT` | a prepared TensorFlow data set |

Any of them may end in a slice as Python has it: `folder:D[500:]`,
`tar:D/*.tar[:500]`, `photos[-2:]`; so one set serves training and validation.
"""

import collections
import importlib.resources
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from inpaintax import images
from inpaintax.data import tar, tfds_source
from inpaintax.errors import InputError

# The wheel's photographs. Left out: drawings, diagrams, text, label images,
# medical pictures, and the second view of the motorcycle.
_PHOTOS = {
  'train': (
    'astronaut.png',
    'brick.png',
    'coffee.png',
    'coins.png',
    'grass.png',
    'gravel.png',
    'hubble_deep_field.jpg',
    'moon.png',
    'motorcycle_left.png',
    'rocket.jpg',
  ),
  'val': ('camera.png', 'chelsea.png'),
}

_SLICE = re.compile(r'\[((?:-?\d+)?):((?:-?\d+)?)\]$')


class Source(Protocol):
  """Photographs in a fixed order, each at hand by its number.

  `source[i]` decodes afresh, from any thread: uint8 `[H, W, 3]`, RGB. It raises
  InputError, naming the image, where that fails.
  """

  def __len__(self) -> int: ...

  def __getitem__(self, index: int) -> np.ndarray: ...

  def name(self, index: int) -> str:
    """What to call an image in tables and errors.

    Args:
      index: 0 to len - 1.

    Returns:
      A name that no other image of the source has.
    """
    ...


def open_source(spec: str) -> Source:
  """Opens a source of photographs.

  Args:
    spec: `photos[:train|:val]`, `folder:DIR`, `tar:GLOB` or
      `tfds:NAME/CONFIG:SPLIT`, each with a slice `[start:stop]` if wanted; see
      the table of this module.

  Returns:
    The source, at least one image long.

  Raises:
    InputError: an unknown kind, or nothing there; says what was looked for and
      where.

  Example:
    >>> source = open_source('photos:train[:3]')
    >>> len(source), source.name(0), source[0].shape
    (3, 'astronaut.png', (512, 512, 3))
  """
  cut = _SLICE.search(spec)
  whole = spec[: cut.start()] if cut else spec
  kind, _, place = whole.partition(':')
  # What a terminal gave may be no valid UTF-8; a message must be.
  spec = images.printable(spec)
  if kind not in _KINDS:
    raise InputError(
      f'{spec!r} is no data source: use photos, folder:DIR, tar:GLOB or '
      'tfds:NAME/CONFIG:SPLIT'
    )
  if not place and kind != 'photos':
    raise InputError(f'{spec!r} does not say where: give {kind}:PLACE')
  source = _KINDS[kind](place)
  if cut is None:
    return source
  start, stop = (int(bound) if bound else None for bound in cut.groups())
  part = range(len(source))[start:stop]
  if not part:
    raise InputError(
      f'{spec!r}: the slice {cut.group()} of {len(source)} images is empty'
    )
  return _Part(source, part)


def mean_color(source: Source, *, count: int = 256) -> tuple[float, ...]:
  """The mean colour of a source, to fill holes with.

  Args:
    source: photographs.
    count: how many to look at, spread evenly over the source; each has the
      same weight.

  Returns:
    R, G, B in [-1, 1].

  Raises:
    InputError: an image cannot be decoded.
    ValueError: `count` is less than 1.
  """
  if count < 1:
    raise ValueError(f'count must be at least 1, got {count}.')
  count = min(count, len(source))
  chosen = [number * len(source) // count for number in range(count)]
  means = [source[number].mean((0, 1)) for number in chosen]
  return tuple((np.mean(means, axis=0) / 127.5 - 1).tolist())


class _Part:
  """Some images of another source."""

  def __init__(self, source: Source, part: range):
    self._source = source
    self._part = part

  def __len__(self) -> int:
    return len(self._part)

  def __getitem__(self, index: int) -> np.ndarray:
    return self._source[self._part[index]]

  def name(self, index: int) -> str:
    return self._source.name(self._part[index])


class _Files:
  """Image files below a folder.

  Files are held as (folder, rest of the path): a million paths that share
  their beginning are dear.
  """

  def __init__(self, root: pathlib.Path, files: Sequence[str]):
    self._root = root
    self._files = files

  def __len__(self) -> int:
    return len(self._files)

  def __getitem__(self, index: int) -> np.ndarray:
    return images.read(self._root / self._files[index])

  def name(self, index: int) -> str:
    return images.printable(pathlib.PurePath(self._files[index]).as_posix())


def _open_photos(place: str) -> Source:
  """The photographs that every installation has."""
  part = place or 'train'
  if part not in _PHOTOS:
    raise InputError(f'photos:{part} does not exist: use photos:train or :val')
  folder = pathlib.Path(str(importlib.resources.files('skimage.data')))
  lacking = [name for name in _PHOTOS[part] if not (folder / name).is_file()]
  if lacking:
    raise InputError(
      f'photos:{part}: this scikit-image lacks {", ".join(lacking)} in '
      f'{folder}: install the pinned version'
    )
  return _Files(folder, _PHOTOS[part])


def _open_folder(place: str) -> Source:
  """All images below a folder, its links followed."""
  root = pathlib.Path(place).expanduser().absolute()
  spec, told = f'folder:{images.printable(place)}', images.printable(root)
  if not root.is_dir():
    wrong = 'is not a folder' if root.exists() else 'does not exist'
    raise InputError(f'{spec}: {told} {wrong}: check the path')
  files: list[str] = []
  others: collections.Counter[str] = collections.Counter()
  for path in images.files_below(root):
    suffix = os.path.splitext(path)[1].lower()
    if suffix in images.SUFFIXES:
      files.append(path)
    else:
      others[images.printable(suffix) or 'no suffix'] += 1
  if not files:
    found = ', '.join(f'{n} x {s}' for s, n in others.most_common(8))
    raise InputError(
      f'{spec}: no image below {told}: looked for '
      f'{" ".join(images.SUFFIXES)}, found {found or "no file at all"}'
    )
  return _Files(root, sorted(files))


_KINDS = {
  'photos': _open_photos,
  'folder': _open_folder,
  'tar': tar.TarSource,
  'tfds': tfds_source.TfdsSource,
}
