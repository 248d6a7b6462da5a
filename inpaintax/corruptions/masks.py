"""Masks of missing pixels: centre, blocks, regions, and those of a bank.

Every maker takes `keys`, typed PRNG keys `[B]` (`jax.random.split(key, B)`),
and gives float32 `[B, H, W, 1]`, 1 = missing. All run under jit and vmap. Each
draws all it needs in one call per key: random bits compile slowly on CPU.
"""

import math

import chex
import jax
import numpy as np
from jax import numpy as jnp
from jax.typing import ArrayLike

from inpaintax.corruptions import drawing, fields, noise

# What a hole is filled with before a network sees it, R, G, B in [-1, 1]. The
# weights of a model depend on it. `pathak` is what the authors' code writes:
# the same means with the channels in the order G, B, R.
FILLS = {
  'imagenet': tuple(mean / 127.5 - 1 for mean in (123, 117, 104)),
  'pathak': (-0.08235294, -0.18431373, -0.03529412),
}


def center(
  keys: jax.Array, size: tuple[int, int], *, hole: int | tuple[int, int]
) -> jax.Array:
  """A block in the exact centre, the same for every key.

  Args:
    keys: typed PRNG keys `[B]`; only their number counts.
    size: height and width of the mask, pixels.
    hole: side of a square hole, or its height and width, pixels. The rest of
      each side must be even, so that the centre is exact.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing.

  Raises:
    ValueError: the hole is empty, does not fit, or cannot be centred.
    AssertionError: `keys` are not typed keys of rank 1.

  Source: Pathak et al. 2016, "Context Encoders", arXiv:1604.07379, sec. 3.3.

  >>> keys = jax.random.split(jax.random.key(0), 2)
  >>> masks = center(keys, (8, 8), hole=4)
  >>> masks.shape, float(masks.mean())
  ((2, 8, 8, 1), 0.25)
  """
  check(keys, size)
  holes = hole if isinstance(hole, tuple | list) else (hole, hole)
  for whole, part in zip(size, holes, strict=True):
    if (
      not isinstance(part, int | np.integer)
      or not 0 < part <= whole
      or (whole - part) % 2
    ):
      raise ValueError(
        f'hole must be whole pixels that fit in {size} with an even rest on'
        f' each side, got {hole}.'
      )
  mask = np.zeros((1, *size, 1), np.float32)
  top, left = [(w - p) // 2 for w, p in zip(size, holes, strict=True)]
  mask[:, top : top + holes[0], left : left + holes[1]] = 1
  return jnp.broadcast_to(mask, (len(keys), *size, 1))


def random_blocks(
  keys: jax.Array,
  size: tuple[int, int],
  *,
  min_side: int,
  max_side: int,
  max_blocks: int = 5,
  max_area: float = 0.25,
) -> jax.Array:
  """One to `max_blocks` rectangles anywhere, which may overlap.

  The number of blocks, each block's height and width, and its place are drawn
  uniformly; both ends of each range occur, so a block may touch any border. A
  block that would take the missing share above `max_area` is left out (the
  first always fits). With `max_blocks=1` and equal sides: one square of that
  area exactly.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels.
    min_side: least height and width of a block, pixels, at least 1.
    max_side: greatest height and width of a block, pixels.
    max_blocks: greatest number of blocks in one mask.
    max_area: greatest missing share, in (0, 1]; one block of `max_side` must
      fit in it.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing.

  Raises:
    ValueError: an option is out of its range.
    AssertionError: `keys` are not typed keys of rank 1.

  Source: Pathak et al. 2016, arXiv:1604.07379, sec. 3.3, "random block": the
  bound of a quarter is theirs; they do not say how sides and number are drawn.
  """
  check(keys, size)
  height, width = size
  limit = 0  # As if none fitted: nan has no floor.
  if 0 <= max_area <= 1:
    limit = math.floor(max_area * height * width + 1e-6)
  check_sides(min_side, max_side, size)
  if max_blocks < 1:
    raise ValueError(f'max_blocks must be at least 1, got {max_blocks}.')
  if max_side**2 > limit:
    raise ValueError(
      f'max_area must be in (0, 1] and hold one block of side {max_side} '
      f'({max_side**2 / height / width:.4f} of {size}), got {max_area}.'
    )

  def one(key: jax.Array) -> jax.Array:
    draws = jax.random.uniform(key, (4 * max_blocks + 1,), jnp.float32)
    count = 1 + fields.whole(draws[-1], max_blocks)
    draw = draws[:-1].reshape(4, max_blocks)
    tall = min_side + fields.whole(draw[0], max_side - min_side + 1)
    wide = min_side + fields.whole(draw[1], max_side - min_side + 1)
    rows = drawing.spans(fields.whole(draw[2], height - tall + 1), tall, height)
    columns = drawing.spans(
      fields.whole(draw[3], width - wide + 1), wide, width
    )

    def add(
      mask: jax.Array, block: tuple[jax.Array, ...]
    ) -> tuple[jax.Array, None]:
      row, column, wanted = block
      union = mask | (row[:, None] & column[None, :])
      return jnp.where(wanted & (union.sum() <= limit), union, mask), None

    wanted = jnp.arange(max_blocks) < count
    empty = jnp.zeros(size, bool)
    return jax.lax.scan(add, empty, (rows, columns, wanted))[0]

  return jax.vmap(one)(keys)[..., None].astype(jnp.float32)


def random_region(
  keys: jax.Array,
  size: tuple[int, int],
  *,
  min_area: float = 0.2,
  max_area: float = 0.3,
  resolution: float = 0.06,
) -> jax.Array:
  """Smooth random regions: coarse noise, enlarged, its lowest part missing.

  Uniform noise on a coarse grid is enlarged by cubic interpolation; a window of
  it, anywhere relative to the grid, is cut at the quantile of a missing share
  drawn uniformly in [min_area, max_area], to the pixel. In an image of few
  cells the middle is missing a little less often than the border (24 against
  26 % at 64 pixels; equal at 128).

  Departs from the authors' code, which makes one pattern of 10,000 x 10,000
  pixels per run, cuts it at the fixed value 0.25 (16.5 % of it) and tries
  windows until the share lies between 20 % and 30 %, one window for the whole
  batch. Here every sample has a pattern of its own and no try fails.

  The mask is the same bit for bit under jit or not, on any device, in any
  batch: `fields.smooth` says why.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels.
    min_area: least missing share, in [0, 1].
    max_area: greatest missing share, in [0, 1].
    resolution: cells of the coarse grid per pixel, in (0, 1]; features are
      about `1 / resolution` pixels wide.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing.

  Raises:
    ValueError: an option is out of its range, or no whole number of pixels
      lies between the two areas.
    AssertionError: `keys` are not typed keys of rank 1.

  Source: Pathak et al. 2016, arXiv:1604.07379, sec. 3.3, "random region", as
  released in pathak22/context-encoder, train_random.lua.
  """
  check(keys, size)
  pixels = size[0] * size[1]
  least, most = 1, 0  # As if none lay between: nan has no floor.
  if 0 <= min_area <= max_area <= 1:
    least = math.ceil(min_area * pixels - 1e-6)
    most = math.floor(max_area * pixels + 1e-6)
  if least > most:
    raise ValueError(
      'wanted 0 <= min_area <= max_area <= 1 with a whole number of pixels of '
      f'{size} between them, got {min_area} and {max_area}.'
    )
  if not 0 < resolution <= 1:
    raise ValueError(f'resolution must be in (0, 1], got {resolution}.')
  needed = fields.draws_needed(size, resolution=resolution)

  def one(key: jax.Array) -> jax.Array:
    draws = jax.random.uniform(key, (needed + 1,), jnp.float32)
    count = least + fields.whole(draws[-1], most - least + 1)
    noise = fields.smooth(draws[:-1], size, resolution=resolution)
    return fields.lowest(noise, count)

  return jax.vmap(one)(keys)[..., None].astype(jnp.float32)


def from_bank(
  keys: jax.Array, size: tuple[int, int], *, bank: jax.Array
) -> jax.Array:
  """One mask of a bank for each key, drawn uniformly.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels; the bank's own.
    bank: float masks `[N, H, W, 1]`, 1 = missing, as `banks.load` reads
      them from a folder.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing.

  Raises:
    ValueError: the bank is empty or of another size.
    AssertionError: `keys` are not typed keys of rank 1.
  """
  check(keys, size)
  if bank.ndim != 4 or bank.shape[1:] != (*size, 1) or not len(bank):
    raise ValueError(
      f'wanted a bank of masks [N, {size[0]}, {size[1]}, 1], got {bank.shape}.'
    )
  places = fields.whole(
    jax.vmap(lambda key: jax.random.uniform(key, (), jnp.float32))(keys),
    len(bank),
  )
  return jnp.asarray(bank)[places].astype(jnp.float32)


def apply(image: jax.Array, mask: jax.Array, fill: ArrayLike) -> jax.Array:
  """Fills the missing pixels with one colour; the known keep their values.

  Args:
    image: float `[B, H, W, C]`, in [-1, 1].
    mask: float `[B, H, W, 1]`, 1 = missing.
    fill: `[C]`, in [-1, 1]: the data's mean colour, or one of `FILLS`.

  Returns:
    What a network observes; as `image`.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  chex.assert_rank([image, mask], 4)
  chex.assert_shape(mask, (*image.shape[:3], 1))
  chex.assert_type([image, mask], float)
  colour = jnp.asarray(fill, image.dtype)
  chex.assert_shape(colour, (image.shape[-1],))
  return jnp.where(mask > 0, colour, image)


def check(keys: jax.Array, size: tuple[int, int]) -> None:
  """Refuses what no masks can be made of.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the masks, pixels.

  Raises:
    ValueError: the size is no height and width.
    AssertionError: `keys` are not typed keys of rank 1.
  """
  noise.check_keys(keys)
  pair = isinstance(size, tuple | list) and len(size) == 2
  if not pair or min(size) < 1:
    raise ValueError(f'size must be a height and a width, got {size}.')


def check_sides(min_side: int, max_side: int, size: tuple[int, int]) -> None:
  """Refuses sides that no part of a mask can have.

  Args:
    min_side: least side, pixels.
    max_side: greatest side, pixels.
    size: height and width of the masks, pixels.

  Raises:
    ValueError: they are no whole numbers, or out of their range.
  """
  fits = 0 < min_side <= max_side <= min(size)
  if not fits or min_side != int(min_side) or max_side != int(max_side):
    raise ValueError(
      f'wanted whole numbers, 0 < min_side <= max_side <= {min(size)}, got'
      f' {min_side} and {max_side}.'
    )
