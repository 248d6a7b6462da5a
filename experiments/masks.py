r"""Writes the holes of an evaluation as pictures, for use elsewhere.

  python -m experiments.masks --mask=lama-thick --size=256 --count=1000 \
    --seed=0 --output=thick256

Mask n is the one that `experiments.evaluate` lays over image n with the same
--mask, --size and --seed. The SHA-256 that is printed is that of the
evaluation's `masks_sha256`: equal digests, equal holes. (--mask=folder: draws
from a folder at random; it does not lay mask n over image n.)
"""

import hashlib
import pathlib

from absl import flags

from experiments import holes, program

_SIZE = flags.DEFINE_integer(
  'size', 256, 'Side of the masks, pixels.', lower_bound=1
)
_HOLE = flags.DEFINE_integer(
  'hole',
  None,
  'Side of the hole of --mask=center, pixels; none: half of --size.',
  lower_bound=1,
)
_COUNT = flags.DEFINE_integer('count', 1000, 'How many.', lower_bound=1)
_SEED = flags.DEFINE_integer(
  'seed', 0, 'Root of the masks.', lower_bound=0, upper_bound=2**32 - 1
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'Folder to write the masks into.', required=True
)
_BATCH = 64


def main():
  """Draws and writes, a batch at a time."""
  import numpy as np

  from inpaintax import images
  from inpaintax.errors import InputError
  from inpaintax.evaluate import filling

  folder = pathlib.Path(_OUTPUT.value)
  if folder.exists() and not folder.is_dir():
    raise InputError(f'--output={folder} is a file: give a folder.')
  if folder.exists() and any(folder.iterdir()):
    raise InputError(f'--output={folder} is not empty: give a new folder.')
  size = _SIZE.value
  if 'center' not in holes.names():
    program.refuse(['hole'], f'with --mask={holes.MASK.value}')
  draw = filling.mask_maker(
    holes.masker(size, hole=_HOLE.value), size, _SEED.value, _BATCH
  )
  folder.mkdir(parents=True, exist_ok=True)
  digest = hashlib.sha256()
  for start in range(0, _COUNT.value, _BATCH):
    missing = draw(start, min(_BATCH, _COUNT.value - start))
    digest.update(filling.bits(missing))
    for number, mask in enumerate(missing, start):
      picture = np.where(mask[..., None], np.uint8(255), np.uint8(0))
      images.write(folder / f'{number:06}.png', picture.repeat(3, -1))
  print(f'{digest.hexdigest()}  {folder}: {_COUNT.value} masks')


if __name__ == '__main__':
  program.run(main)
