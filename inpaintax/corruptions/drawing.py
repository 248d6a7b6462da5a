"""Strokes and boxes in whole numbers: the same pixels everywhere."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

# Directions in a turn: a fifth and a fifteenth of it are whole numbers.
TURN = 15 * 1024
# What cosines are multiplied by, to be whole numbers.
_ONE = 1 << 12


class Segments(NamedTuple):
  """Lines with round ends.

  Attributes:
    start: int32 `[S, 2]`, row and column.
    end: int32 `[S, 2]`.
    width: int32 `[S]`, pixels.
    wanted: bool `[S]`, whether to draw it.
  """

  start: jax.Array
  end: jax.Array
  width: jax.Array
  wanted: jax.Array


def walk(
  start: jax.Array,
  angle: jax.Array,
  length: jax.Array,
  width: jax.Array,
  used: jax.Array,
  size: tuple[int, int],
) -> Segments:
  """The segments of strokes, each from the end of the one before.

  Args:
    start: int32 `[N, 2]`, where strokes begin, row and column.
    angle: int32 `[N, S]`, directions from a row's, `TURN` to a turn.
    length: int32 `[N, S]`, pixels. An end outside is moved to the border.
    width: int32 `[N, S]`, pixels.
    used: bool `[N, S]`.
    size: height and width of the image, up to 2048.

  Returns:
    All of them.
  """
  table = np.round(_ONE * np.cos(2 * np.pi * np.arange(TURN) / TURN))
  cosine = jnp.asarray(table.astype(np.int32))
  # The sine is the cosine a quarter of a turn before.
  down = length * cosine[(angle - TURN // 4) % TURN]
  right = length * cosine[angle % TURN]
  moves = (jnp.stack([down, right], -1) + _ONE // 2) // _ONE
  last = jnp.array(size, jnp.int32) - 1

  def step(at: jax.Array, move: jax.Array) -> tuple[jax.Array, jax.Array]:
    new = jnp.clip(at + move, 0, last[None])
    return new, new

  _, ends = jax.lax.scan(step, start, moves.swapaxes(0, 1))
  ends = ends.swapaxes(0, 1)
  starts = jnp.concatenate([start[:, None], ends[:, :-1]], axis=1)
  flat = lambda x: x.reshape(-1, *x.shape[2:])
  return Segments(flat(starts), flat(ends), flat(width), flat(used))


def paint(
  segments: Segments, size: tuple[int, int], *, limit: int | None = None
) -> jax.Array:
  """Marks what is within half a width of a segment.

  Args:
    segments: in their order.
    size: height and width of the image, up to 2048.
    limit: a segment that would make more pixels than these marked is left out;
      None: none is.

  Returns:
    bool `[H, W]`.
  """
  rows, columns = (jnp.arange(n) for n in size)

  def add(mask: jax.Array, segment: Segments) -> tuple[jax.Array, None]:
    along = segment.end - segment.start
    down = (rows - segment.start[0])[:, None]
    right = (columns - segment.start[1])[None, :]
    forth = down * along[0] + right * along[1]
    whole = (along**2).sum()
    square = segment.width**2
    near = lambda down, right: 4 * (down**2 + right**2) <= square
    ends = near(down, right) | near(down - along[0], right - along[1])
    # Twice the distance to the line, times the segment's length. The product on
    # the right is rounded once, the same everywhere.
    aside = 2 * jnp.abs(down * along[1] - right * along[0])
    reach = segment.width * jnp.sqrt(whole.astype(jnp.float32))
    # A segment without length has ends alone.
    beside = (whole > 0) & (forth >= 0) & (forth <= whole) & (aside <= reach)
    union = mask | ends | beside
    kept = segment.wanted
    if limit is not None:
      kept &= union.sum() <= limit
    return jnp.where(kept, union, mask), None

  return jax.lax.scan(add, jnp.zeros(size, bool), segments)[0]


def spans(start: jax.Array, length: jax.Array, whole: int) -> jax.Array:
  """Marks stretches of a line.

  Args:
    start: int32 of any shape: their first places.
    length: int32, same shape.
    whole: places on the line.

  Returns:
    bool, of that shape and one axis more, of `whole` places.
  """
  position = jnp.arange(whole).reshape([1] * start.ndim + [whole])
  start, end = start[..., None], (start + length)[..., None]
  return (start <= position) & (position < end)


def box(
  at: Sequence[jax.Array], sides: Sequence[jax.Array], size: tuple[int, int]
) -> jax.Array:
  """Marks a rectangle.

  Args:
    at: its first row and column.
    sides: its height and width.
    size: height and width of the image.

  Returns:
    bool `[H, W]`.
  """
  rows, columns = map(spans, at, sides, size)
  return rows[:, None] & columns[None, :]
