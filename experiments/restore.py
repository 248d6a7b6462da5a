"""Fills holes in photographs; all other pixels come back bit for bit.

  python -m experiments.restore --workdir=runs/quickstart --image=photo.jpg \
    --mask=hole.png --output=filled.png

White (128 and above) in the mask is what to fill; --mask_invert turns that
round. With a folder as --image, --mask is one mask for all or a folder of masks
that bear the images' names, whatever their suffixes; --output is a folder then,
and gets a PNG for each image. Images that fail are named in its failures.csv,
and the exit code is 4.

A model that was trained on a centre hole fills holes of up to that size, each
at its own place, and refuses larger ones: `inpaintax.restore`.
"""

import csv
import pathlib
import sys
from typing import NamedTuple

from absl import flags

from experiments import program

_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Workdir of a trained model.', required=True
)
_IMAGE = flags.DEFINE_string(
  'image', None, 'Photograph, or folder of them.', required=True
)
_MASK = flags.DEFINE_string(
  'mask',
  None,
  'Mask of the size of the photograph, white where it is to be filled; or a'
  ' folder of them, one for each photograph.',
  required=True,
)
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'File to write (png, bmp, tif, ppm), or folder if --image is one.',
  required=True,
)
_MASK_INVERT = flags.DEFINE_bool(
  'mask_invert', False, 'Fill what is black in the mask, not what is white.'
)
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace files that exist.')

# Formats that keep every bit as `images.write` writes them.
_LOSSLESS = ('.png', '.bmp', '.tif', '.tiff', '.ppm')

_FAILURES = 'failures.csv'


class _Item(NamedTuple):
  """One photograph to fill; `mask` is None where there is none for it."""

  name: str
  image: pathlib.Path
  mask: pathlib.Path | None
  output: pathlib.Path


def main():
  """One photograph, or a folder of them."""
  from inpaintax.errors import InputError

  image, output = pathlib.Path(_IMAGE.value), pathlib.Path(_OUTPUT.value)
  for flag, path in (('image', image), ('mask', pathlib.Path(_MASK.value))):
    if not path.exists():
      raise InputError(f'--{flag}={path}: no such file or folder.')
  if image.is_dir():
    _restore_folder(image, output)
  else:
    _restore_file(image, output)


def _restore_file(image, output):
  from inpaintax.errors import InputError

  mask = pathlib.Path(_MASK.value)
  if mask.is_dir():
    raise InputError(f'--mask={mask} is a folder, --image={image} is not.')
  if output.suffix.lower() not in _LOSSLESS:
    raise InputError(
      f'--output={output}: known pixels are kept bit for bit only in a file'
      f' that ends in one of {" ".join(_LOSSLESS)}'
    )
  item = _Item(str(image), image, mask, output)
  _check_new([item])
  # Before the model is loaded, which takes seconds.
  pixels, missing = _read(item)
  _fill(item, pixels, missing, _filler())


def _restore_folder(folder, output):
  from inpaintax.errors import InputError, ItemsFailedError

  items = _items(folder, output)
  _check_new(items)
  if not any(item.mask for item in items):
    raise InputError(
      f'--mask={_MASK.value}: no mask there has the name of an image in'
      f' {folder}.'
    )
  filler = _filler()
  output.mkdir(parents=True, exist_ok=True)
  failures = []
  for item in items:
    try:
      if item.mask is None:
        raise InputError(f'no mask of this name in {_MASK.value}')
      _fill(item, *_read(item), filler)
    except InputError as error:
      failures.append((item.name, str(error)))
      print(f'{item.name}: {error}', file=sys.stderr, flush=True)
  _write_failures(output / _FAILURES, failures)
  if failures:
    raise ItemsFailedError(
      f'{len(failures)} of {len(items)} images failed: see'
      f' {output / _FAILURES}.'
    )


def _items(folder, output):
  """What is to be done in a folder, in order of path."""
  from inpaintax.errors import InputError
  from inpaintax.images import SUFFIXES, printable

  masks = pathlib.Path(_MASK.value)
  if output.resolve() == folder.resolve():
    raise InputError(f'--output={output} is the folder of the images.')
  # Masks and results may lie inside the folder of the images.
  others = [output, masks] if masks.is_dir() else [output]
  others = [path.resolve() for path in others]
  of_name = {}
  for path in _images_below(masks, []) if masks.is_dir() else []:
    name = path.relative_to(masks).with_suffix('')
    if name in of_name:
      raise InputError(
        f'{printable(of_name[name])} and {printable(path)} are masks of the'
        ' same name: keep one.'
      )
    of_name[name] = path
  items, taken = [], {}
  for path in _images_below(folder, others):
    if path.resolve() == masks.resolve():
      continue
    relative = path.relative_to(folder)
    mask = of_name.get(relative.with_suffix('')) if masks.is_dir() else masks
    made = output / relative.with_suffix('.png')
    if made in taken:
      raise InputError(
        f'{printable(taken[made])} and {printable(path)} would both become'
        f' {printable(made)}: rename one.'
      )
    taken[made] = path
    items.append(_Item(printable(relative), path, mask, made))
  if not items:
    raise InputError(
      f'--image={folder}: no image in this folder; looked for'
      f' {" ".join(SUFFIXES)}'
    )
  return items


def _images_below(folder, others):
  """Image files in a folder and inside it, but for those in `others`."""
  from inpaintax.images import SUFFIXES

  return [
    path
    for path in sorted(folder.rglob('*'))
    if path.suffix.lower() in SUFFIXES
    and not path.name.startswith('.')
    and path.is_file()
    and not any(path.resolve().is_relative_to(other) for other in others)
  ]


def _check_new(items):
  """Refuses to write over what exists."""
  from inpaintax.errors import InputError
  from inpaintax.images import printable

  old = [item.output for item in items if item.output.exists()]
  if old and not _OVERWRITE.value:
    more = f' and {len(old) - 1} more exist' if len(old) > 1 else ' exists'
    raise InputError(
      f'{printable(old[0])}{more}: give another --output, or --overwrite.'
    )
  for path in old:
    if path.is_dir():
      raise InputError(f'{printable(path)} is a folder.')


def _read(item):
  """Pixels and mask; refuses what no model can fill."""
  from inpaintax import images
  from inpaintax.errors import InputError

  pixels, missing = images.read(item.image), images.read_mask(item.mask)
  if _MASK_INVERT.value:
    missing = ~missing
  if missing.shape != pixels.shape[:2]:
    (height, width), (rows, columns) = missing.shape, pixels.shape[:2]
    raise InputError(
      f'{images.printable(item.mask)} is {width}x{height} pixels,'
      f' {images.printable(item.image)} {columns}x{rows} (width x height): make'
      ' them equal.'
    )
  if missing.all():
    raise InputError(
      f'{images.printable(item.mask)} marks every pixel as missing: nothing is'
      f' left to go on. {_polarity()} is what to fill.'
    )
  if not missing.any():
    print(
      f'{item.name}: nothing is missing ({_polarity()} is what to fill): the'
      ' photograph comes back unchanged.',
      file=sys.stderr,
    )
  return pixels, missing


def _polarity():
  return 'Black' if _MASK_INVERT.value else 'White'


def _filler():
  from inpaintax import checkpoints, restore
  from inpaintax.errors import InputError

  trained = checkpoints.load_generator(_WORKDIR.value)
  if 'noise' in trained.record:
    raise InputError(
      f'--workdir={_WORKDIR.value}: this model takes noise off, it fills no'
      ' holes. Give the workdir of one that does.'
    )
  return restore.make_filler(trained)


def _fill(item, pixels, missing, filler):
  from inpaintax import images, restore
  from inpaintax.errors import InputError

  try:
    filled = restore.fill_image(pixels, missing, filler)
  except InputError as error:
    raise InputError(f'{images.printable(item.mask)}: {error}') from error
  images.write(item.output, filled)
  print(images.printable(item.output), flush=True)


def _write_failures(path, failures):
  """Of this run alone: an older list would mislead."""
  if not failures:
    path.unlink(missing_ok=True)
    return
  with path.open('w', newline='', encoding='utf-8') as file:
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(['image', 'reason'])
    writer.writerows(failures)


if __name__ == '__main__':
  program.run(main)
