"""The flags that say what networks to train, and the record they make."""

import math
from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments import dimensions, holes, program

_MODEL = flags.DEFINE_enum(
  'model',
  'pathak',
  ['pathak', 'residual', 'deck'],
  "Pathak's networks, ours for small images, or the slides'.",
)
_BOTTLENECK = flags.DEFINE_enum(
  'bottleneck',
  'conv',
  ['conv', 'channelwise'],
  "The authors' code's, or the paper's channel-wise dense layer.",
)
_BOTTLENECK_WIDTH = flags.DEFINE_integer(
  'bottleneck_width', 4000, 'Channels of the conv bottleneck.', lower_bound=1
)
# Side of the residual generator's smallest map.
_SMALLEST = 8

_OVERLAP = flags.DEFINE_integer(
  'overlap',
  0,
  'Known pixels on each side of a centre block that are predicted too.',
  lower_bound=0,
)


def _block():
  """Side of the predicted block; None: the whole image."""
  if _MODEL.value == 'deck':
    return dimensions.SIZE.value // 4
  return dimensions.SIZE.value // 2 if holes.MASK.value == 'center' else None


def hole() -> int | None:
  """Side of the hole in the middle of a block, pixels; None: whole images."""
  block = _block()
  return block - 2 * _OVERLAP.value if block else None


def _widths(width, side):
  """Channels of maps from 4x4 up to below `side`: (8, 4, 2, 1, 1) times."""
  count = round(math.log2(side / 4))
  return [width * max(1, 2 ** (3 - i)) for i in range(count)]


def check() -> None:
  """Refuses flags that no network can be built from.

  Raises:
    InputError: says which, and what would do.
  """
  from inpaintax.errors import InputError

  holes.check()
  if _MODEL.value != 'residual':
    program.refuse(dimensions.BLOCK_FLAGS, f'with --model={_MODEL.value}')
  size, overlap = dimensions.SIZE.value, _OVERLAP.value
  if _MODEL.value == 'deck':
    if size % 64:
      raise InputError(f'--size={size}: the deck takes multiples of 64.')
    if holes.MASK.value != 'center' and not (
      holes.MASK.value == 'blocks'
      and holes.MIN_SIDE.value == holes.MAX_SIDE.value == _block() - 2 * overlap
      and holes.MAX_BLOCKS.value == 1
    ):
      raise InputError(
        'the deck predicts one square block: --mask=center, or --mask=blocks'
        f' with --max_blocks=1 and --min_side and --max_side of {_block()}'
        ' less twice the --overlap.'
      )
  elif size & (size - 1):
    raise InputError(f'--size={size}: use a power of two, such as 64 or 128.')
  if overlap and _block() is None:
    raise InputError(
      f'--overlap={overlap} is for a centre block: --mask={holes.MASK.value}'
      ' predicts the whole image.'
    )
  if overlap and 2 * overlap >= _block():
    raise InputError(
      f'--overlap={overlap} leaves nothing of the block of {_block()}.'
    )


def record(fill: Sequence[float]) -> dict[str, Any]:
  """The model and its task, as every checkpoint has them.

  Args:
    fill: what holes are filled with, R, G, B in [-1, 1].

  Returns:
    Plain JSON, see `inpaintax.checkpoints.Trained`.
  """
  size, block = dimensions.SIZE.value, _block()
  task = {
    'image_size': size,
    'block': block,
    'mask': holes.MASK.value.rstrip('/'),
    'hole': hole(),
    'fill': list(fill),
  }
  if _MODEL.value == 'deck':
    generator = {'name': 'deck_generator', 'options': {}}
    discriminator = {'name': 'deck_discriminator', 'options': {}}
    return task | {'generator': generator, 'discriminator': discriminator}
  if _MODEL.value == 'residual':
    return task | _residual(size, block)
  encoder = _widths(dimensions.WIDTH.value, size)[::-1]
  decoder = _widths(dimensions.WIDTH.value, block or size)
  disc = _widths(dimensions.DISC_WIDTH.value, block or size)[::-1]
  options = {
    'encoder_widths': encoder,
    'decoder_widths': decoder,
    'bottleneck': _BOTTLENECK.value,
    'bottleneck_width': _BOTTLENECK_WIDTH.value,
  }
  generator = {'name': 'context_generator', 'options': options}
  discriminator = {
    'name': 'context_discriminator',
    'options': {'widths': disc},
  }
  return task | {'generator': generator, 'discriminator': discriminator}


def _residual(size, block):
  """Records of the residual generator and its discriminator."""
  side = block or size
  doublings = lambda side, smallest: round(math.log2(side / smallest))
  # Twice the channels at half the side, up to four or eight times.
  width, disc_width = dimensions.WIDTH.value, dimensions.DISC_WIDTH.value
  widths = [width * min(4, 2**i) for i in range(doublings(size, _SMALLEST))]
  disc_widths = [
    disc_width * min(8, 2**i) for i in range(doublings(side, 4) + 1)
  ]
  generator = {
    'widths': widths,
    **dimensions.blocks(),
    'part': side / size,
  }
  return {
    'generator': {'name': 'residual_generator', 'options': generator},
    'discriminator': {
      'name': 'spectral_discriminator',
      'options': {'widths': disc_widths},
    },
  }
