"""What masks are cut from: whole numbers and smooth noise of uniform draws.

No keys here: `draws` are float32, uniform in [0, 1), as `jax.random.uniform`
gives them. The caller makes all it needs in one call.
"""

import math
from collections.abc import Callable

import jax
import numpy as np
from jax import numpy as jnp
from jax.typing import ArrayLike


def whole(draw: jax.Array, count: ArrayLike) -> jax.Array:
  """Draws as whole numbers of 0 … count - 1, all equally likely.

  Never `count` itself by rounding: a draw is at most 1 - 2**-23, and
  `count * 2**-23` at least the spacing of float32 below `count`.

  Args:
    draw: float32 of any shape, in [0, 1).
    count: how many numbers there are, 1 … 2**23; of the same shape or one.

  Returns:
    int32 of the shape of `draw`.
  """
  return jnp.floor(draw * count).astype(jnp.int32)


def draws_needed(size: tuple[int, int], *, resolution: float) -> int:
  """How many draws `smooth` takes.

  Args:
    size: height and width of the field, pixels.
    resolution: cells of the coarse grid per pixel, in (0, 1].

  Returns:
    Their number.
  """
  vertical, horizontal, _ = _grid(size, resolution)
  return vertical.shape[1] * horizontal.shape[1] + 2


def smooth(
  draws: jax.Array, size: tuple[int, int], *, resolution: float
) -> jax.Array:
  """A window of coarse uniform noise enlarged by cubic interpolation.

  The window starts at any whole pixel of a cell, so that no place of an image
  is tied to the grid.

  The noise has 256 levels and the cubic's weights are multiples of 1/256, so
  every sum is a whole number below 2**24, exact in float32 in any order: the
  same bits under jit or not, on any device, in any batch.

  Args:
    draws: float32 `[draws_needed(size, resolution=resolution)]`, in [0, 1).
    size: height and width of the field, pixels.
    resolution: cells of the coarse grid per pixel, in (0, 1].

  Returns:
    float32 `[H, W]` of whole numbers between -2**24 and 2**24.
  """
  vertical, horizontal, period = _grid(size, resolution)
  start = whole(draws[:2], period)
  noise = jnp.floor(256 * draws[2:]) - 128
  pattern = jnp.linalg.multi_dot(
    [
      jnp.asarray(vertical),
      noise.reshape(vertical.shape[1], horizontal.shape[1]),
      jnp.asarray(horizontal.T),
    ],
    # TF32 would round what is exact in float32.
    precision=jax.lax.Precision.HIGHEST,
  )
  return jax.lax.dynamic_slice(pattern, (start[0], start[1]), size)


def lowest(values: jax.Array, count: ArrayLike) -> jax.Array:
  """Marks the `count` lowest values; of equal ones, the first.

  By bisection: sorts take six times as long on CPU.

  Args:
    values: float32 of any shape, whole numbers between -2**24 and 2**24.
    count: how many to mark, 0 … `values.size`.

  Returns:
    bool of the shape of `values`.
  """
  place = jnp.arange(values.size).reshape(values.shape)
  cut = _last(25, lambda n: (values < n - 2**24).sum() <= count) - 2**24
  below, equal = values < cut, values == cut
  rest = count - below.sum()
  bits = values.size.bit_length()
  end = _last(bits, lambda n: (equal & (place < n)).sum() <= rest)
  return below | (equal & (place < end))


def _last(bits: int, accepts: Callable[[jax.Array], jax.Array]) -> jax.Array:
  """The greatest number of so many bits accepted, where 0 and below it are."""

  def step(i: jax.Array, found: jax.Array) -> jax.Array:
    higher = found + (1 << (bits - 1 - i))
    return jnp.where(accepts(higher), higher, found)

  return jax.lax.fori_loop(0, bits, step, jnp.int32(0))


def _grid(
  size: tuple[int, int], resolution: float
) -> tuple[np.ndarray, np.ndarray, int]:
  """Weights of both axes for every window, and the pixels of a cell."""
  period = math.ceil(1 / resolution)
  vertical, horizontal = [
    _cubic_weights(side + period - 1, resolution) for side in size
  ]
  return vertical, horizontal, period


def _cubic_weights(length: int, resolution: float) -> np.ndarray:
  """Keys' cubic (a = -1/2) from coarse cells to pixels, in units of 1/256.

  Returns float32 `[length, cells]` of whole numbers: pixel i lies at
  `1 + i * resolution` cells from the first, and has two on either side.
  """
  place = 1 + np.arange(length) * resolution
  cells = math.floor(place[-1]) + 3
  far = np.abs(place[:, None] - np.arange(cells)[None, :])
  near = (1.5 * far - 2.5) * far**2 + 1
  rest = ((-0.5 * far + 2.5) * far - 4) * far + 2
  weights = np.where(far < 1, near, np.where(far < 2, rest, 0))
  return np.round(256 * weights).astype(np.float32)
