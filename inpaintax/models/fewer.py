"""Which convolutions are trained with fewer multiplications, and in what form.

`winograd` does 3x3 and 2x2 kernels of stride 1. A 4x4 kernel that halves the
sides is a 2x2 one over cells of 2x2 pixels. A dilated kernel sees phases of an
image that are images themselves. Figures are in docs/performance.md.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

_Pair = tuple[int, int]
_Pads = tuple[_Pair, ...]

# Fewer multiplications are worth their additions, and a program that takes
# twice as long to compile, from these channels and features on, the fewer of
# both and the more; from so many multiplications; and to so many outputs, of
# which they take four times the memory.
_FEW, _MANY = 16, 32
_FEW_OF_CELLS = 8
_WORTH = 2**27
_MOST_OUTPUTS = 2**23
# And to so many rows and columns: one alone leaves most of its tiles unused.
_LEAST_SIDE = 2
# Kernel, strides, padding and dilation of a convolution that halves the sides.
_HALVING = ((4, 4), (2, 2), ((1, 1), (1, 1)), (1, 1))


class Form(NamedTuple):
  """A convolution as one of stride 1, not dilated, of a 2x2 or 3x3 kernel.

  Attributes:
    images: of the convolution, `->` its images; linear, as all of these are.
    kernel: likewise.
    outputs: likewise.
    pads: its padding.
  """

  images: Callable[[jax.Array], jax.Array]
  kernel: Callable[[jax.Array], jax.Array]
  outputs: Callable[[jax.Array], jax.Array]
  pads: _Pads


def form(
  x: jax.Array,
  kernel: jax.Array,
  strides: _Pair,
  pads: _Pads,
  dilation: _Pair,
  *,
  outputs: int,
) -> Form | None:
  """What makes a convolution one that `winograd` does.

  Args:
    x: `[B, H, W, C]`.
    kernel: `[h, w, C, F]`.
    strides: rows, columns.
    pads: zeros before and after rows, and columns.
    dilation: of the kernel.
    outputs: how many numbers it gives.

  Returns:
    The form; None where nothing is gained.
  """
  h, w, c, f = kernel.shape
  same = lambda given: given
  if not worth(x, kernel, outputs=outputs, terms=h * w * c):
    return None
  if ((h, w), strides, pads, dilation) == _HALVING:
    unfit = any(n % 2 or n < 2 * _LEAST_SIDE for n in x.shape[1:3])
    if c < _FEW_OF_CELLS or unfit:
      return None
    return Form(cells, over_cells, same, ((0, 0), (0, 0)))
  if (h, w) != (3, 3) or strides != (1, 1):
    return None
  if min(c, f) < _FEW or max(c, f) < _MANY:
    return None
  sides = list(zip(x.shape[1:3], pads, dilation, strict=True))
  if any((n + sum(pad)) // d - 2 < _LEAST_SIDE for n, pad, d in sides):
    return None
  if dilation == (1, 1):
    return Form(same, same, same, pads)
  if any(n % d or before % d or after % d for n, (before, after), d in sides):
    return None
  apart = lambda maps: _phases(maps, dilation)
  pads = tuple((before // d, after // d) for _, (before, after), d in sides)
  return Form(apart, same, apart, pads)


def worth(*operands: jax.Array, outputs: int, terms: int) -> bool:
  """Whether there is so much to do that fewer multiplications are faster.

  Args:
    operands: of the convolution.
    outputs: how many numbers it gives.
    terms: of the sum that each is.

  Returns:
    Whether there is, in float32, on a CPU.
  """
  return (
    jax.default_backend() == 'cpu'
    and all(operand.dtype == jnp.float32 for operand in operands)
    and outputs * terms >= _WORTH
    and outputs <= _MOST_OUTPUTS
  )


def cells(x: jax.Array) -> jax.Array:
  """Images as a 4x4 convolution of stride 2 and padding 1 sees them.

  Output n has the taps 0 and 1 of cell n, and the taps 2 and 3 of cell n + 1,
  in both directions: without padding, as the first cell begins in it.

  Args:
    x: `[B, H, W, C]`, H and W even.

  Returns:
    `[B, H/2 + 1, 2, W/2 + 1, 2 C]`: of each the rows lie apart.
  """
  b, h, w, c = x.shape
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  return x.reshape(b, h // 2 + 1, 2, w // 2 + 1, 2 * c)


def over_cells(kernel: jax.Array) -> jax.Array:
  """The kernel that `cells` are convolved with.

  Args:
    kernel: `[4, 4, C, F]`.

  Returns:
    `[2, 2, 4 C, F]`.
  """
  _, _, c, f = kernel.shape
  kernel = kernel.reshape(2, 2, 2, 2, c, f).transpose(0, 2, 1, 3, 4, 5)
  return kernel.reshape(2, 2, 4 * c, f)


def _phases(x: jax.Array, dilation: _Pair) -> jax.Array:
  """Images of the pixels that a dilated kernel sees together."""
  b, h, w, c = x.shape
  tall, wide = dilation
  x = x.reshape(b, h // tall, tall, w // wide, wide, c)
  return x.transpose(0, 2, 4, 1, 3, 5).reshape(-1, h // tall, w // wide, c)
