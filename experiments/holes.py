"""The flags that say which pixels are missing, and what they mean."""

import functools
from collections.abc import Callable
from typing import Any

from absl import flags

from experiments import program

MASK = flags.DEFINE_string(
  'mask',
  'center',
  'Holes: center, blocks, region, strokes (deepfill, lama-thin, lama-medium,'
  ' lama-thick), or folder:DIR of masks.',
)
MIN_SIDE = flags.DEFINE_integer(
  'min_side',
  None,
  'Smallest side of --mask=blocks, pixels; default: a quarter of the image.',
  lower_bound=1,
)
MAX_SIDE = flags.DEFINE_integer(
  'max_side',
  None,
  'Largest side of --mask=blocks, pixels; default: half of the image.',
  lower_bound=1,
)
MAX_BLOCKS = flags.DEFINE_integer(
  'max_blocks', 1, 'Most blocks of --mask=blocks.', lower_bound=1
)
# Names of masks, and the kinds of `strokes.lama`.
_LAMA = {f'lama-{kind}': kind for kind in ('thin', 'medium', 'thick')}


def check() -> None:
  """Refuses flags that ask for no masks.

  Raises:
    InputError: they do not exist, or do not fit together.
  """
  from inpaintax.errors import InputError

  kind, _, folder = MASK.value.partition(':')
  known = ('center', 'blocks', 'region', 'deepfill', *_LAMA)
  if MASK.value not in known and not (kind == 'folder' and folder):
    raise InputError(
      f'--mask={MASK.value} is not {", ".join(known)} or folder:DIR.'
    )
  if MASK.value != 'blocks':
    sides = ('min_side', 'max_side', 'max_blocks')
    program.refuse(sides, f'with --mask={MASK.value}')


def masker(size: int, *, hole: int | None) -> Callable[..., Any]:
  """What draws the masks that the flags ask for.

  Args:
    size: side of the images, pixels.
    hole: side of the hole of --mask=center, pixels; None: half the image's.

  Returns:
    `(keys, size) -> masks`, as the makers of `corruptions.masks`.

  Raises:
    InputError: the flags ask for what does not exist or cannot be.
  """
  from inpaintax.corruptions import banks, masks, strokes

  check()
  kind, _, folder = MASK.value.partition(':')
  if kind == 'folder':
    bank: Any = banks.load(folder, (size, size))
    return functools.partial(masks.from_bank, bank=bank)
  makers: dict[str, Callable[..., Any]] = {
    'center': functools.partial(masks.center, hole=hole or size // 2),
    'blocks': functools.partial(
      masks.random_blocks,
      min_side=MIN_SIDE.value or size // 4,
      max_side=MAX_SIDE.value or size // 2,
      max_blocks=MAX_BLOCKS.value,
    ),
    'region': masks.random_region,
    'deepfill': strokes.deepfill,
  }
  makers |= {
    name: functools.partial(strokes.lama, kind=kind)
    for name, kind in _LAMA.items()
  }
  return makers[MASK.value]
