"""Photographs to restore, one or a folder of them, and what becomes of each."""

import collections
import csv
import os
import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

from experiments import program

# Formats that keep every bit as `images.write` writes them.
_LOSSLESS = ('.png', '.bmp', '.tif', '.tiff', '.ppm')

_FAILURES = 'failures.csv'


class Item(NamedTuple):
  """One photograph to restore.

  Attributes:
    name: what to call it.
    image: its path.
    mask: that of its mask; None where there is none for it.
    output: where to write what becomes of it.
  """

  name: str
  image: pathlib.Path
  mask: pathlib.Path | None
  output: pathlib.Path


def single(
  image: pathlib.Path, mask: pathlib.Path | None, output: pathlib.Path
) -> Item:
  """One photograph.

  Args:
    image: of the flag.
    mask: of the flag, if given.
    output: of the flag.

  Returns:
    The item.

  Raises:
    InputError: the flags do not fit together.
  """
  from inpaintax.errors import InputError

  if mask is not None and mask.is_dir():
    raise InputError(f'--mask={mask} is a folder, --image={image} is not.')
  if output.is_dir():
    raise InputError(f'--output={output} is a folder, --image={image} is not.')
  if output.resolve() == image.resolve():
    raise InputError(f'--output={output} is the photograph: give another file.')
  if output.suffix.lower() not in _LOSSLESS:
    raise InputError(
      f'--output={output}: pixels are kept bit for bit only in a file that ends'
      f' in one of {" ".join(_LOSSLESS)}'
    )
  there = next(path for path in output.absolute().parents if path.exists())
  if not (there.is_dir() and os.access(there, os.W_OK)):
    why = 'cannot be written to' if there.is_dir() else 'is no folder'
    raise InputError(f'--output={output}: {there} {why}.')
  return Item(str(image), image, mask, output)


def in_folder(
  folder: pathlib.Path, masks: pathlib.Path | None, output: pathlib.Path
) -> list[Item]:
  """What is to be done in a folder, in order of path.

  The results are PNG files of the photographs' names; of those that differ in
  their suffix alone it stays: `a.jpg.png`, `a.heic.png`.

  Args:
    folder: of the photographs.
    masks: one mask for all, or a folder of them; None: they need none.
    output: folder for the results.

  Returns:
    The items.

  Raises:
    InputError: there are none, or their names collide.
  """
  from inpaintax.errors import InputError
  from inpaintax.images import SUFFIXES, printable

  if output.resolve() == folder.resolve():
    raise InputError(f'--output={output} is the folder of the images.')
  if output.exists() and not output.is_dir():
    raise InputError(
      f'--output={output} is a file, --image={folder} a folder: give a folder.'
    )
  if masks is not None and masks.resolve() == folder.resolve():
    raise InputError(
      f'--mask={masks} is the folder of the images: masks have the names of'
      ' their images, in a folder of their own.'
    )
  # Masks and results may lie inside the folder of the images.
  others = [output.resolve()]
  of_name, shared = {}, masks
  if masks is not None and masks.is_dir():
    shared = None
    others.append(masks.resolve())
    of_name = _by_name(masks)
  others = [x for x in others if not folder.resolve().is_relative_to(x)]
  items: list[Item] = []
  taken: dict[pathlib.Path, pathlib.Path] = {}
  paths = [
    path
    for path in _images_below(folder, others)
    if masks is None or path.resolve() != masks.resolve()
  ]
  alike = collections.Counter(path.with_suffix('') for path in paths)
  for path in paths:
    relative = path.relative_to(folder)
    alone = alike[path.with_suffix('')] == 1
    # Of two that differ in their suffix alone, each may have its own.
    own = of_name.get(relative) or of_name.get(relative.with_suffix(''))
    made = output / (
      relative.with_suffix('.png') if alone else f'{relative}.png'
    )
    if made in taken:
      raise InputError(
        f'{printable(taken[made])} and {printable(path)} would both become'
        f' {printable(made)}: rename one.'
      )
    taken[made] = path
    items.append(Item(printable(relative), path, own or shared, made))
  if not items:
    raise InputError(
      f'--image={folder}: no image in this folder; looked for'
      f' {" ".join(SUFFIXES)}'
    )
  if masks is not None and not any(item.mask for item in items):
    raise InputError(
      f'--mask={masks}: no mask there has the name of an image in {folder}.'
    )
  return items


def _by_name(masks):
  """Masks of a folder by their relative path without its suffix."""
  from inpaintax.errors import InputError
  from inpaintax.images import printable

  of_name = {}
  for path in _images_below(masks, []):
    name = path.relative_to(masks).with_suffix('')
    if name in of_name:
      raise InputError(
        f'{printable(of_name[name])} and {printable(path)} are masks of the'
        ' same name: keep one.'
      )
    of_name[name] = path
  return of_name


def _images_below(folder, others):
  """Image files in a folder and inside it, but for those in `others`."""
  from inpaintax.images import SUFFIXES, files_below

  found = sorted(folder / path for path in files_below(folder))
  return [
    path
    for path in found
    if path.suffix.lower() in SUFFIXES
    and not any(path.resolve().is_relative_to(other) for other in others)
  ]


def check_folder(flag: str, folder: pathlib.Path) -> None:
  """Makes a folder for results.

  Args:
    flag: that names it.
    folder: it.

  Raises:
    InputError: it cannot be made, or not be written to.
  """
  from inpaintax.errors import InputError

  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise InputError(
      f'--{flag}={folder} cannot be made: {error.strerror}. Give a folder.'
    ) from error
  if not os.access(folder, os.W_OK):
    raise InputError(f'--{flag}={folder} cannot be written to.')


def to_do(
  items: list[Item], *, overwrite: bool, skip_existing: bool
) -> list[Item]:
  """Refuses to write over what exists.

  Args:
    items: what is to be done.
    overwrite: whether files may be replaced.
    skip_existing: whether those whose result exists are left out instead.

  Returns:
    What is left to be done.

  Raises:
    InputError: a result exists and may not, or is a folder.
  """
  from inpaintax.errors import InputError
  from inpaintax.images import printable

  old = [item.output for item in items if item.output.exists()]
  for path in old:
    if path.is_dir():
      raise InputError(f'{printable(path)} is a folder.')
  if old and skip_existing:
    program.say(f'{len(old)} of {len(items)} exist and are left as they are.')
    return [item for item in items if not item.output.exists()]
  if old and not overwrite:
    more = f' and {len(old) - 1} more exist' if len(old) > 1 else ' exists'
    raise InputError(
      f'{printable(old[0])}{more}: give another --output, --skip_existing or'
      ' --overwrite.'
    )
  return items


def forget_failures(output: pathlib.Path) -> None:
  """Removes an older list of failures, which would mislead.

  Args:
    output: folder for the results, that exists.
  """
  (output / _FAILURES).unlink(missing_ok=True)


def each(
  items: list[Item], output: pathlib.Path, restore: Callable[[Item], None]
) -> None:
  """Restores one after the other; those that fail are named in failures.csv.

  Args:
    items: what is to be done.
    output: folder for the results, that exists.
    restore: does one; InputError for one that cannot be done, or the system's
      own for one that cannot be read or written.

  Raises:
    ItemsFailedError: some failed.
    OSError: no space is left.
  """
  from inpaintax.errors import InputError, ItemsFailedError

  failures = []
  for item in items:
    try:
      restore(item)
    except (InputError, OSError) as error:
      if program.no_space(error):  # All others would fail too.
        raise
      failures.append((item.name, str(error)))
      print(f'{item.name}: {error}', file=sys.stderr, flush=True)
  if not failures:
    forget_failures(output)
    return
  path = output / _FAILURES
  with path.open('w', newline='', encoding='utf-8') as file:
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(['image', 'reason'])
    writer.writerows(failures)
  raise ItemsFailedError(
    f'{len(failures)} of {len(items)} images failed: see {path}.'
  )
