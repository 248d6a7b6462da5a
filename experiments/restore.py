r"""Restores photographs: fills holes in them, or takes noise or text off.

  python -m experiments.restore --workdir=runs/quickstart --image=photo.jpg \
    --mask=hole.png --output=filled.png

White (128 and above) in the mask is what to fill; --mask_invert turns that
round. All other pixels come back bit for bit, of 8 or 16 bit, grey or coloured;
transparent parts become white. A model that was trained on a centre hole fills
holes of up to that size, each at its own place, and refuses larger ones; one of
`experiments.completion` fills any: `inpaintax.restore`.

  python -m experiments.restore --workdir=runs/ssda --image=noisy.png \
    --output=clean.png
  python -m experiments.restore --workdir=runs/ssda --image=photographs \
    --output=cleaned

Without a mask a denoiser restores the whole photograph, each channel alone. A
denoiser is for the noise that it was trained on.

With a folder as --image, --mask is one mask for all or a folder of masks that
bear the images' names, whatever their suffixes; --output is a folder then, and
gets a PNG for each: a.png, of a.jpg and a.heic a.jpg.png and a.heic.png. Images
that fail are named in its failures.csv, and the exit code is 4.

A result keeps the colour profile, the resolution, and of the EXIF who took it
when, where and how, but no thumbnail: that shows what was there.
"""

import pathlib
import time

from absl import flags

from experiments import files, finish, noise, profiling, program

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
  ' folder of them, one for each photograph. None: take noise off.',
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
_RESIZE_MASK = flags.DEFINE_bool(
  'resize_mask',
  False,
  'Bring a mask of another size to that of the photograph; what it touches is'
  ' filled.',
)
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace files that exist.')
_SKIP_EXISTING = flags.DEFINE_bool(
  'skip_existing',
  False,
  'Leave out photographs whose result exists: goes on in a folder.',
)

# Noise so many times as strong as a model is for, or as weak, is told of.
_APART = 1.5
# What takes longer is told, seconds.
_LONG = 5
# Where more is missing, the mask may be meant the other way round.
_MUCH = 0.5
# Pixels a side from which an image tells how strong its noise is.
_TELLING = 8


def main():
  """One photograph, or a folder of them."""
  from inpaintax.errors import InputError

  image, output = pathlib.Path(_IMAGE.value), pathlib.Path(_OUTPUT.value)
  mask = pathlib.Path(_MASK.value) if _MASK.value else None
  for flag, path in (('image', image), ('mask', mask)):
    if path is not None and not path.exists():
      raise InputError(f'--{flag}={path}: no such file or folder.')
  if mask is None:
    only_holes = ['mask_invert', 'resize_mask', 'finish', 'features']
    program.refuse(only_holes, 'without --mask')
  else:
    program.refuse(['sigma', 'stride', 'noise'], 'with --mask')
  program.refuse(['font_sizes'], 'in restoring: a model knows its own')
  if _OVERWRITE.value and _SKIP_EXISTING.value:
    raise InputError('--overwrite and --skip_existing: give one of them.')
  if mask is not None and output.resolve() == mask.resolve():
    raise InputError(f'--output={output} is where the masks are.')
  load = _load_denoiser if mask is None else _load_filler
  several = image.is_dir()
  find = files.in_folder if several else files.single
  found = find(image, mask, output)
  items = files.to_do(
    found if several else [found],
    overwrite=_OVERWRITE.value,
    skip_existing=_SKIP_EXISTING.value,
  )
  if not items:
    if several:  # Nothing is left that might fail.
      files.forget_failures(output)
    return
  if several:
    files.check_folder('output', output)
    restore, tracer = load(), profiling.Tracer(str(output), before=0)

    def one(item):
      _write(item, restore, _read(item))
      tracer.tick(None)

    files.each(items, output, one)
  else:
    [item] = items
    # Read before the model is loaded, which takes seconds.
    begun, restore = _read(item), load()
    tracer = profiling.Tracer(str(output.parent), before=0)
    _write(item, restore, begun)
  tracer.close()


def _read(item):
  """All of the photograph's files that is needed, before the work begins."""
  from inpaintax import images

  pixels, pictures = _read_pixels(item), images.count_pictures(item.image)
  if pictures > 1:
    program.say(f'{item.name}: of its {pictures} pictures the first shown.')
  holes = [_read_missing(item, pixels.shape[:2])] if _MASK.value else []
  return (pixels, *holes), images.read_metadata(item.image)


def _write(item, restore, found):
  from inpaintax import images

  inputs, metadata = found
  images.write(item.output, restore(item, *inputs), metadata=metadata)
  print(images.printable(item.output), flush=True)


def _read_missing(item, shape):
  """What is to be filled in an image; refuses what no model can fill."""
  from inpaintax import images
  from inpaintax.errors import InputError

  if item.mask is None:
    raise InputError(f'no mask of this name in {_MASK.value}')
  missing = images.read_mask(item.mask)
  if _MASK_INVERT.value:
    missing = ~missing
  if _RESIZE_MASK.value and _alike(missing.shape, shape):
    missing = images.resize_mask(missing, shape)
  if missing.shape != shape:
    (height, width), (rows, columns) = missing.shape, shape
    other = ', or give --resize_mask'
    if _RESIZE_MASK.value:
      other = '; --resize_mask keeps the proportions'
    raise InputError(
      f'{images.printable(item.mask)} is {width}x{height} pixels,'
      f' {images.printable(item.image)} {columns}x{rows} (width x height): make'
      f' them equal{other}.'
    )
  fills = 'Black' if _MASK_INVERT.value else 'White'
  other = '--nomask_invert' if _MASK_INVERT.value else '--mask_invert'
  rule = (
    f'{fills} is what to fill, and transparent parts are black; {other} turns'
    ' that round'
  )
  if missing.all():
    raise InputError(
      f'{images.printable(item.mask)} marks every pixel as missing: nothing is'
      f' left to go on. {rule}.'
    )
  if not missing.any():
    program.say(
      f'{item.name}: nothing is missing ({rule}): the photograph comes back'
      ' unchanged.'
    )
  elif missing.mean() > _MUCH:
    program.say(
      f'{images.printable(item.mask)} marks {missing.mean():.0%} of the'
      f' photograph as missing. {rule}.'
    )
  return missing


def _alike(shape, other):
  """Whether two shapes differ in size alone, but for a pixel."""
  (height, width), (rows, columns) = shape, other
  return abs(height * columns - width * rows) <= max(*shape, *other)


def _load_filler():
  """`(item, pixels, missing) -> pixels`."""
  from inpaintax import checkpoints, images, restore
  from inpaintax.errors import InputError

  trained = checkpoints.load_generator(_WORKDIR.value)
  if 'noise' in trained.record:
    raise InputError(
      f'--workdir={_WORKDIR.value}: this model takes noise off, it fills no'
      ' holes. Give the workdir of one that does, or no --mask.'
    )
  if trained.record['mask'] == 'center' and trained.record['hole'] is None:
    program.say(
      f'--workdir={_WORKDIR.value} was trained on centre holes alone: expect it'
      ' to fill others badly, or train with other kinds of --mask.'
    )
  wanted = finish.parsed(finish.FINISH.value or '')
  textured = wanted.pop('textured')
  filler = restore.make_filler(trained, **wanted)
  describe = finish.describe()

  def fill(item, pixels, missing):
    begun = time.monotonic()
    try:
      filled = restore.fill_image(
        pixels, missing, filler, textured=textured, describe=describe
      )
    except InputError as error:
      raise InputError(f'{images.printable(item.mask)}: {error}') from error
    took = time.monotonic() - begun
    if took > _LONG:
      program.say(
        f'{item.name}: {missing.size / 1e6:.1f} megapixels in {took:.0f} s.'
      )
    return filled

  return fill


def _read_pixels(item):
  """8 or 16 bit, grey or coloured."""
  import numpy as np

  from inpaintax import images
  from inpaintax.errors import InputError

  pixels = images.read_deep(item.image)
  suffix = item.output.suffix.lower()
  if pixels.dtype == np.uint16 and suffix not in images.DEEP_SUFFIXES:
    raise InputError(
      f'{item.name} has 16 bit, which {item.output} does not hold: use one of'
      f' {" ".join(images.DEEP_SUFFIXES)}'
    )
  return pixels


def _load_denoiser():
  """`(item, pixels) -> pixels`."""
  from inpaintax import checkpoints, images
  from inpaintax.errors import InputError
  from inpaintax.restore import denoising

  trained = checkpoints.load_generator(_WORKDIR.value)
  if 'noise' not in trained.record:
    raise InputError(
      f'--workdir={_WORKDIR.value}: this model fills holes: give --mask, or the'
      ' workdir of a denoiser.'
    )
  about = trained.record['noise']
  noise.check_task(_WORKDIR.value, about)
  stride = noise.checked_stride(_WORKDIR.value, trained, noise.STRIDE.value)
  denoise = denoising.make_denoiser(trained, stride=stride)

  def clean(item, pixels):
    try:
      found = denoising.denoise_image(pixels, denoise)
    except InputError as error:
      raise InputError(f'{images.printable(item.image)}: {error}') from error
    told = flags.FLAGS['sigma'].present or min(pixels.shape[:2]) < _TELLING
    if about['name'] == 'gaussian' and not told:
      _warn(item, denoising.estimated_sigma(pixels), about)
    return found

  return clean


def _warn(item, sigma, about):
  """Tells where an image seems to have other noise than a model is for."""
  low, high = noise.levels(about)
  if not low / _APART <= sigma <= high * _APART:
    levels = f'{low:g} to {high:g}' if high > low else f'{low:g}'
    outcome = 'noise to stay' if sigma > high else 'detail to be lost'
    program.say(
      f'{item.name}: its noise seems to have a standard deviation of'
      f' {sigma:.1f}, the model is for {levels}. Expect {outcome}.'
    )


if __name__ == '__main__':
  program.run(main)
