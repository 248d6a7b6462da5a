"""Free-form masks: strokes of a brush, in the recipes of two papers.

Vertices, widths and directions are whole numbers, from tables where a sine or a
quantile is needed, and a pixel is compared with a stroke in whole numbers: the
same key gives the same bits under jit or not, on any device, in any batch.

Lengths are those of the recipes at 256 pixels, scaled with the shorter side.
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from inpaintax.corruptions import drawing, fields, masks

# Side for which the recipes are written.
_SIDE = 256


class Recipe(NamedTuple):
  """One of LaMa's kinds of masks, at 256 pixels.

  Attributes:
    strokes: fewest and most of them.
    length: of a segment, pixels: 10 + less than this.
    width: of a segment, pixels: 5 + less than this.
    box: smallest and largest side of the boxes drawn instead, or None.
  """

  strokes: tuple[int, int]
  length: int
  width: int
  box: tuple[int, int] | None


LAMA = {
  'thin': Recipe((4, 50), 40, 10, None),
  'medium': Recipe((4, 5), 100, 50, (10, 50)),
  'thick': Recipe((1, 5), 200, 100, (30, 150)),
}
# Share of masks of boxes, where there are any: 0.3 to 1 in the code.
_BOXES = 0.3 / 1.3
_MOST_BOXES = 4
_MOST_SEGMENTS = 5


def deepfill(keys: jax.Array, size: tuple[int, int]) -> jax.Array:
  """Zigzags of a brush, one to three of them, and a box.

  A stroke has 4 to 11 segments that go to and fro, in directions around a fifth
  of a turn from the row's; their lengths are around an eighth of the diagonal,
  their width 12 to 40 pixels of 256. The box has half the image's sides, each
  less up to an eighth. The mask is mirrored at random, each way.

  Departs from the authors' code: there the mirroring has no effect, and a batch
  has one mask.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing.

  Raises:
    ValueError: the size is no height and width.
    AssertionError: `keys` are not typed keys of rank 1.

  Source: Yu et al. 2019, arXiv:1806.03589, algorithm 1, as released in
  JiahuiYu/generative_inpainting, inpaint_ops.py.
  """
  masks.check(keys, size)
  height, width = size
  strokes, vertices = 3, 11
  thin, thick = (max(1, round(w * min(size) / _SIDE)) for w in (12, 40))
  radii = jnp.asarray(_radii(math.hypot(*size) / 8))
  number = strokes * (5 + 2 * vertices)

  def one(key: jax.Array) -> jax.Array:
    draws = jax.random.uniform(key, (number + 7,), jnp.float32)
    each = draws[:number].reshape(strokes, -1)
    count = 4 + fields.whole(each[:, 0], vertices - 3)
    start = jnp.stack(
      [fields.whole(each[:, 1], height), fields.whole(each[:, 2], width)], 1
    )
    fifth, fifteenth = drawing.TURN // 5, drawing.TURN // 15
    low = fifth - fields.whole(each[:, 3], fifteenth + 1)
    high = fifth + fields.whole(each[:, 4], fifteenth + 1)
    spread = (high - low + 1)[:, None]
    angle = low[:, None] + fields.whole(each[:, 5 : 5 + vertices], spread)
    back = jnp.arange(vertices) % 2 == 0
    angle = jnp.where(back[None], drawing.TURN - angle, angle)
    steps = radii[fields.whole(each[:, 5 + vertices :], len(radii))]
    broad = thin + fields.whole(draws[number], thick - thin + 1)
    used = (jnp.arange(vertices)[None] < count[:, None]) & (
      jnp.arange(strokes)[:, None]
      < 1 + fields.whole(draws[number + 1], strokes)
    )
    mask = drawing.paint(
      drawing.walk(
        start, angle, steps, jnp.full_like(angle, broad), used, size
      ),
      size,
    )
    sides = [
      n // 2 - fields.whole(draws[number + 2 + i], n // 8 + 1)
      for i, n in enumerate(size)
    ]
    mask |= _box(draws[number + 4 : number + 6], sides, size)
    ways = fields.whole(draws[number + 6], 4)
    mask = jnp.where(ways & 1, mask[::-1], mask)
    return jnp.where(ways & 2, mask[:, ::-1], mask)

  return jax.vmap(one)(keys)[..., None].astype(jnp.float32)


def lama(
  keys: jax.Array, size: tuple[int, int], *, kind: str, max_area: float = 0.5
) -> jax.Array:
  """Strokes of one of three kinds, or boxes.

  | kind | strokes | length | width | or boxes |
  | --- | --- | --- | --- | --- |
  | thin | 4 to 50 | 10 to 49 | 5 to 14 | none |
  | medium | 4 or 5 | 10 to 109 | 5 to 54 | sides of 10 to 50 |
  | thick | 1 to 5 | 10 to 209 | 5 to 104 | sides of 30 to 150 |

  in pixels of 256. A stroke has one to five segments, each in one of four
  directions, mirrored in every other stroke. Where a kind has boxes, 3 of 13
  masks are one to four of them.

  Departs from the authors' code, which tries again where more than half of the
  image is missing: here a segment or a box that would take the share above
  `max_area` is left out.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels.
    kind: of `LAMA`.
    max_area: greatest missing share, in (0, 1].

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing. A first segment that is too large
    leaves a mask with what comes after it, at worst nothing.

  Raises:
    ValueError: an option is out of its range.
    AssertionError: `keys` are not typed keys of rank 1.

  Source: Suvorov et al. 2022, arXiv:2109.07161, sec. 2.4, as released in
  advimman/lama, configs/data_gen and saicinpainting/training/data/masks.py.
  """
  masks.check(keys, size)
  if kind not in LAMA:
    raise ValueError(f'kind must be one of {", ".join(LAMA)}, got {kind!r}.')
  if not 0 < max_area <= 1:
    raise ValueError(f'max_area must be in (0, 1], got {max_area}.')
  recipe, scale = LAMA[kind], min(size) / _SIDE
  limit = math.floor(max_area * size[0] * size[1] + 1e-6)
  fewest, most = recipe.strokes
  shortest, longest = (
    max(1, round(n * scale)) for n in (10, 9 + recipe.length)
  )
  thin, thick = (max(1, round(n * scale)) for n in (5, 4 + recipe.width))
  shape = (most, _MOST_SEGMENTS)
  # Four directions, of 0.01 and so many radians.
  turns = np.round((0.01 + np.arange(4)) * drawing.TURN / (2 * np.pi)).astype(
    np.int32
  )
  number = most * (3 + 3 * _MOST_SEGMENTS)

  def one(key: jax.Array) -> jax.Array:
    draws = jax.random.uniform(
      key, (number + 3 + 4 * _MOST_BOXES,), jnp.float32
    )
    each = draws[:number].reshape(most, -1)
    start = jnp.stack(
      [fields.whole(each[:, i], n) for i, n in enumerate(size)], 1
    )
    segments = 1 + fields.whole(each[:, 2], _MOST_SEGMENTS)
    way, length, width = each[:, 3:].reshape(most, 3, -1).swapaxes(0, 1)
    angle = jnp.asarray(turns)[fields.whole(way, 4)]
    mirrored = (jnp.arange(most) % 2 == 0)[:, None]
    angle = jnp.where(mirrored, drawing.TURN - angle, angle)
    count = fewest + fields.whole(draws[number], most - fewest + 1)
    used = (jnp.arange(shape[1])[None] < segments[:, None]) & (
      jnp.arange(most) < count
    )[:, None]
    lines = drawing.walk(
      start,
      angle,
      shortest + fields.whole(length, longest - shortest + 1),
      thin + fields.whole(width, thick - thin + 1),
      used,
      size,
    )
    mask = drawing.paint(lines, size, limit=limit)
    if recipe.box is None:
      return mask
    low, high = (max(1, round(n * scale)) for n in recipe.box)
    boxes = _boxes(draws[number + 2 :], low, high, size, limit)
    return jnp.where(draws[number + 1] < _BOXES, boxes, mask)

  return jax.vmap(one)(keys)[..., None].astype(jnp.float32)


def _radii(mean: float) -> np.ndarray:
  """Quantiles of a normal number cut at 0 and twice its mean, int32."""
  normal = statistics.NormalDist(mean, max(mean // 2, 0.5))
  levels = [normal.inv_cdf((i + 0.5) / 1024) for i in range(1024)]
  return np.round(np.clip(levels, 0, 2 * mean)).astype(np.int32)


def _box(
  draws: jax.Array, sides: Sequence[jax.Array], size: tuple[int, int]
) -> jax.Array:
  """bool `[H, W]`: a box of these sides, anywhere inside."""
  at = [
    fields.whole(draw, n - side + 1)
    for draw, n, side in zip(draws, size, sides, strict=True)
  ]
  return drawing.box(at, sides, size)


def _boxes(
  draws: jax.Array, low: int, high: int, size: tuple[int, int], limit: int
) -> jax.Array:
  """bool `[H, W]`: one to four boxes, within the limit."""
  count = 1 + fields.whole(draws[0], _MOST_BOXES)
  mask = jnp.zeros(size, bool)
  for number, draw in enumerate(draws[1:].reshape(_MOST_BOXES, 4)):
    sides = [low + fields.whole(draw[i], high - low + 1) for i in range(2)]
    union = mask | _box(draw[2:], sides, size)
    kept = (number < count) & (union.sum() <= limit)
    mask = jnp.where(kept, union, mask)
  return mask
