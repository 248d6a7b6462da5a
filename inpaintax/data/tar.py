"""Images inside uncompressed tar archives, without unpacking them."""

import collections
import functools
import glob
import os
import tarfile

import numpy as np

from inpaintax import images
from inpaintax.errors import InputError


class TarSource:
  """Images of one or more tars, each at hand by its number.

  The archives are read through once, for the places of their members; from
  then on an image costs one read. Tars come sorted by path, members in the
  order in which they lie in their tar: a set that was mixed when it was packed
  stays mixed, so that its first 500 are a fair part. Folders, links, hidden
  files and members without a suffix of an image are passed over.
  """

  def __init__(self, pattern: str):
    """Finds the images.

    Args:
      pattern: path of the tars, with `*`, `?`, `[...]` and `**` if wanted.

    Raises:
      InputError: no such file, not an uncompressed tar, or no image inside.
    """
    place = os.path.abspath(os.path.expanduser(pattern))
    spec = f'tar:{images.printable(pattern)}'
    # Where a file has this very name, its brackets are no pattern.
    exact = os.path.isfile(place)
    paths = [place] if exact else sorted(glob.glob(place, recursive=True))
    paths = [path for path in paths if os.path.isfile(path)]
    if not paths:
      raise InputError(
        f'{spec}: no file matches {images.printable(place)}: check the path'
      )
    self._paths = paths
    self._members: list[str] = []
    # Of each member: which tar, where its bytes begin, how many there are.
    places: list[tuple[int, int, int]] = []
    others: collections.Counter[str] = collections.Counter()
    for number, path in enumerate(paths):
      for member in _open(path):
        name = os.path.basename(member.name)
        suffix = os.path.splitext(name)[1].lower()
        if name.startswith('.') or not member.isreg() or member.issparse():
          continue
        if suffix in images.SUFFIXES:
          self._members.append(member.name)
          places.append((number, member.offset_data, member.size))
        else:
          others[images.printable(suffix) or 'no suffix'] += 1
    if not places:
      found = ', '.join(f'{n} x {s}' for s, n in others.most_common(8))
      raise InputError(
        f'{spec}: no image in {len(paths)} archives: looked for '
        f'{" ".join(images.SUFFIXES)}, found {found or "no file at all"}'
      )
    self._places = np.array(places, np.int64)

  def __len__(self) -> int:
    return len(self._members)

  def __getitem__(self, index: int) -> np.ndarray:
    number, offset, size = self._places[index].tolist()
    name = self.name(index)
    try:
      # Opened for each image: costs microseconds, and neither threads nor a
      # thousand archives then share or use up file descriptors.
      descriptor = os.open(self._paths[number], os.O_RDONLY | os.O_CLOEXEC)
      try:
        data = os.pread(descriptor, size, offset)
      finally:
        os.close(descriptor)
    except OSError as error:
      raise InputError(f'{name}: cannot read: {error.strerror}') from error
    if len(data) != size:
      raise InputError(
        f'{name}: the archive has become shorter since it was opened'
      )
    return images.decode(data, name=name)

  def name(self, index: int) -> str:
    """What to call an image in tables and errors.

    Args:
      index: 0 to len - 1.

    Returns:
      The tar's file name, a slash, the member's name.
    """
    archive = os.path.basename(self._paths[int(self._places[index, 0])])
    return images.printable(f'{archive}/{self._members[index]}')


def _open(path: str) -> tuple[tarfile.TarInfo, ...]:
  """The members of one archive."""
  try:
    stat = os.stat(path)
    # Training and validation data are often parts of the same archives, and a
    # second's work to go through.
    return _members(path, stat.st_size, stat.st_mtime_ns)
  except (OSError, tarfile.TarError) as error:
    raise InputError(
      f'{images.printable(path)}: not an uncompressed tar, or damaged '
      f'({error}): if it is compressed, unpack it to a plain .tar'
    ) from error


@functools.lru_cache(maxsize=64)
def _members(path: str, end: int, changed: int) -> tuple[tarfile.TarInfo, ...]:
  """Those of an archive of that length, as it was when last changed."""
  del changed
  with tarfile.open(path, 'r:') as archive:
    members = tuple(archive.getmembers())
  for member in members:
    if member.isreg() and member.offset_data + member.size > end:
      raise InputError(
        f'{images.printable(path)}: cut off within {member.name}: copy it again'
      )
  return members
