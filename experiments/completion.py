r"""Trains a completion network: fills any hole, in images of any size.

  python -m experiments.completion \
    --flagfile=experiments/flags/completion64.flags --workdir=runs/completion \
    --data='tar:/data/train-*.tar[500:]' \
    --val_data='tar:/data/train-*.tar[:500]'

The same command on the same workdir goes on where it stopped. First G is
trained alone, on the reconstruction loss (--gen_only), then D alone
(--disc_only), then both in turn.

Flag files: `completion64` (ours, for small images and machines), `glcic` (the
paper's networks and phases), `two_stage64` (Yu's network, small). Holes are
those of --mask, of which several may be given: `--mask=blocks,lama-thick`.

Source: Iizuka et al. 2017, doi:10.1145/3072959.3073659; of `two_stage`, Yu et
al. 2019, arXiv:1806.03589.
"""

import math

from absl import flags

from experiments import dimensions, holes, inpainting, program, training

_MODEL = flags.DEFINE_enum(
  'model',
  'residual',
  ['residual', 'glcic', 'two_stage'],
  "Networks: ours for small images, Iizuka's, or Yu's of two stages with"
  ' attention.',
)
_HOLE = flags.DEFINE_integer(
  'hole',
  None,
  'Side of the hole of --mask=center, pixels; default: half of the image.',
  lower_bound=1,
)
# Sides of the smallest maps: of the residual generator, of the discriminators.
_SMALLEST, _LAST = 8, 4


def _check():
  """Refuses flags that no network can be built from."""
  from inpaintax.errors import InputError

  holes.check()
  size = dimensions.SIZE.value
  if size & (size - 1) or size < 32:
    raise InputError(
      f'--size={size}: use a power of two from 32 on, such as 64 or 128.'
    )
  if 'center' not in holes.names():
    program.refuse(['hole'], f'with --mask={holes.MASK.value}')
  if _MODEL.value != 'residual':
    program.refuse(dimensions.BLOCK_FLAGS, f'with --model={_MODEL.value}')


def _record(fill):
  """The model and its task, as every checkpoint has them."""
  size, width = dimensions.SIZE.value, dimensions.WIDTH.value
  if _MODEL.value == 'glcic':
    multiple = 4
    generator = {
      'name': 'completion_generator',
      'options': {'widths': [width, 2 * width, 4 * width]},
    }
  elif _MODEL.value == 'two_stage':
    multiple = 8
    generator = {'name': 'two_stage_generator', 'options': {'width': width}}
  else:
    multiple = _SMALLEST
    generator = {
      'name': 'residual_generator',
      'options': {
        'widths': [width, 2 * width, 4 * width],
        **dimensions.blocks(),
        'dilations': [1, 2, 1, 4],
        'told': True,
        'channelwise': False,
        'part': 1,
      },
    }
  return {
    'image_size': size,
    'multiple': multiple,
    'block': None,
    'mask': holes.MASK.value,
    'hole': None,
    'fill': list(fill),
    'generator': generator,
    'discriminator': _discriminator(size),
  }


def _discriminator(size):
  """Of maps down to 4x4, and of a window half as large as the image."""
  width = dimensions.DISC_WIDTH.value
  count = round(math.log2(size / _LAST))
  if _MODEL.value == 'two_stage':
    widths = [width * min(4, 2**i) for i in range(count)]
    return {'name': 'patch_discriminator', 'options': {'widths': widths}}
  widths = [width * min(8, 2**i) for i in range(count)]
  options = {
    'widths': widths,
    'local_widths': widths[:-1],
    'code': 16 * width,
    'norm': 'batch' if _MODEL.value == 'glcic' else 'spectral',
  }
  return {'name': 'global_local_discriminator', 'options': options}


def main():
  """Describes the networks and their holes, and trains."""
  training.before_jax()
  _check()
  size = dimensions.SIZE.value
  masker = holes.masker(size, hole=_HOLE.value)
  inpainting.train(_record, size=size, masker=masker)


if __name__ == '__main__':
  program.run(main)
