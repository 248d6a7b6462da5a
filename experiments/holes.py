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
  ' lama-thick), silhouettes (invented) or silhouettes:DIR (of label images),'
  ' or folder:DIR of masks. Of several, a,b, each image has one;'
  ' a+b is both in one mask.',
)
MIN_SIDE = flags.DEFINE_integer(
  'min_side',
  None,
  'Smallest side of blocks and silhouettes, pixels; default: a quarter of the'
  ' image.',
  lower_bound=1,
)
MAX_SIDE = flags.DEFINE_integer(
  'max_side',
  None,
  'Largest side of blocks and silhouettes, pixels; default: half of the image.',
  lower_bound=1,
)
MAX_BLOCKS = flags.DEFINE_integer(
  'max_blocks', 1, 'Most blocks of --mask=blocks.', lower_bound=1
)
_MIN_AREA = flags.DEFINE_float(
  'min_area',
  0.0,
  'Least missing share of a mask: of several tries the first within the bounds,'
  ' or the one that is least outside.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_MAX_AREA = flags.DEFINE_float(
  'max_area',
  1.0,
  'Greatest missing share of a mask.',
  lower_bound=0.0,
  upper_bound=1.0,
)
# Invented silhouettes.
_SHAPES = 1000
# Names of masks, and the kinds of `strokes.lama`.
_LAMA = {f'lama-{kind}': kind for kind in ('thin', 'medium', 'thick')}


def _kinds():
  """For each alternative of --mask, the names of what it unites."""
  return [one.split('+') for one in MASK.value.split(',')]


def names() -> list[str]:
  """Every kind of mask that the flags ask for."""
  return [name for kinds in _kinds() for name in kinds]


def check() -> None:
  """Refuses flags that ask for no masks.

  Raises:
    InputError: they do not exist, or do not fit together.
  """
  from inpaintax.errors import InputError

  known = ('center', 'blocks', 'region', 'silhouettes', 'deepfill', *_LAMA)
  for name in names():
    kind, _, folder = name.partition(':')
    from_folder = kind in ('folder', 'silhouettes') and folder
    if name not in known and not from_folder:
      others = '' if name == MASK.value else f': {name or "nothing"}'
      raise InputError(
        f'--mask={MASK.value}{others} is not {", ".join(known)},'
        ' silhouettes:DIR or folder:DIR.'
      )
  if _MIN_AREA.value > _MAX_AREA.value:
    raise InputError(
      f'--min_area={_MIN_AREA.value} is above --max_area={_MAX_AREA.value}.'
    )
  without = f'with --mask={MASK.value}'
  kinds = {name.partition(':')[0] for name in names()}
  if 'blocks' not in kinds:
    program.refuse(['max_blocks'], without)
    if 'silhouettes' not in kinds:
      program.refuse(['min_side', 'max_side'], without)


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
  from inpaintax.corruptions import combined

  check()

  def joined(kinds):
    makers = [_maker(name, size, hole) for name in kinds]
    if len(makers) == 1:
      return makers[0]
    return functools.partial(combined.union, makers=makers)

  alternatives = [joined(kinds) for kinds in _kinds()]
  drawn = alternatives[0]
  if len(alternatives) > 1:
    drawn = functools.partial(combined.one_of, makers=alternatives)
  _check_drawn(drawn, size)
  bounds: dict[str, Any] = {
    'min_area': _MIN_AREA.value,
    'max_area': _MAX_AREA.value,
  }
  if bounds == {'min_area': 0.0, 'max_area': 1.0}:
    return drawn
  return functools.partial(combined.bounded, maker=drawn, **bounds)


def _check_drawn(draw, size):
  """Refuses what the makers of masks refuse, in terms of flags."""
  import jax

  from inpaintax.errors import InputError

  keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
  try:
    jax.eval_shape(lambda keys: draw(keys, (size, size)), keys)
  except ValueError as error:
    raise InputError(
      f'--mask={MASK.value} in {size}x{size} pixels: {error} See --hole,'
      ' --min_side and --max_side.'
    ) from error


def _maker(name, size, hole):
  """What draws one kind of masks."""
  from inpaintax.corruptions import banks, masks, silhouettes, strokes

  kind, _, folder = name.partition(':')
  if kind == 'folder':
    bank: Any = banks.load(folder, (size, size))
    return functools.partial(masks.from_bank, bank=bank)
  sides = {
    'min_side': MIN_SIDE.value or max(1, size // 4),
    'max_side': MAX_SIDE.value or max(1, size // 2),
  }
  if kind == 'silhouettes':
    shapes = silhouettes.load(folder) if folder else silhouettes.invent(_SHAPES)
    return functools.partial(silhouettes.place, bank=shapes, **sides)
  if name in _LAMA:
    return functools.partial(strokes.lama, kind=_LAMA[name])
  makers: dict[str, Callable[..., Any]] = {
    'center': functools.partial(masks.center, hole=hole or size // 2),
    'blocks': functools.partial(
      masks.random_blocks,
      max_blocks=MAX_BLOCKS.value,
      # Room for the first block, if it is to be larger than Pathak's.
      max_area=max(0.25, min(1.0, (sides['max_side'] / size) ** 2)),
      **sides,
    ),
    'region': masks.random_region,
    'deepfill': strokes.deepfill,
  }
  return makers[name]
