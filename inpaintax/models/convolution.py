"""Convolutions that are fast to train on a CPU.

Where gradients are taken, and a kernel is 3x3, or 4x4 and halves the sides, and
there is much to do, all three passes take fewer multiplications (`fewer`).

For the others: the gradient of a kernel sums over all positions of all images.
XLA makes it as a convolution with a window as large as the map, of which it
keeps one core busy where channels are few. As one product of matrices it is two
to six times faster. Figures are in docs/performance.md.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from inpaintax.models import fewer, winograd

_LAYOUT = ('NHWC', 'HWIO', 'NHWC')
# Terms of the sum to each number of its result's shorter side, from which the
# product is faster; and numbers in the matrix made for it: with fewer there is
# nothing to gain but a longer program, with more it takes too much memory.
_ENOUGH = 2
_LEAST = 2**16
_MOST = 2**25

_Pair = tuple[int, int]
_Pads = tuple[_Pair, ...]


def convolve(
  x: jax.Array,
  kernel: jax.Array,
  strides: Sequence[int],
  padding: str | Sequence[_Pair],
  *,
  lhs_dilation: Sequence[int] = (1, 1),
  rhs_dilation: Sequence[int] = (1, 1),
  dimension_numbers: Any = _LAYOUT,
  feature_group_count: int = 1,
  precision: Any = None,
) -> jax.Array:
  """The values of `lax.conv_general_dilated`, channels last.

  On a CPU, reverse-mode derivatives of any order can be taken and forward-mode
  ones of gradients, but not forward-mode ones of the convolution itself. Where
  they are taken, values may differ by 1e-6 of the largest.

  Args:
    x: float `[B, H, W, C]`.
    kernel: float `[h, w, C / groups, F]`.
    strides: rows, columns.
    padding: as for `lax`, like all that follows.
    lhs_dilation: of the images.
    rhs_dilation: of the kernel.
    dimension_numbers: must say the above.
    feature_group_count: groups of channels.
    precision: of the products.

  Returns:
    float `[B, H', W', F]`.
  """
  special = feature_group_count > 1 or precision is not None
  special = special or tuple(lhs_dilation) != (1, 1)
  if special or jax.default_backend() != 'cpu':
    return lax.conv_general_dilated(
      x,
      kernel,
      strides,
      padding,
      lhs_dilation,
      rhs_dilation,
      dimension_numbers,
      feature_group_count,
      precision=precision,
    )
  strides, dilation = tuple(strides), tuple(rhs_dilation)
  if isinstance(padding, str):
    sides = [
      (n - 1) * d + 1 for n, d in zip(kernel.shape[:2], dilation, strict=True)
    ]
    padding = lax.padtype_to_pads(x.shape[1:3], sides, strides, padding)
  pads = tuple((int(before), int(after)) for before, after in padding)
  return _fast(x, kernel, strides, pads, dilation)


class Conv(nn.Conv):
  """`nn.Conv` that is computed by `convolve`."""

  conv_general_dilated: Any = convolve


def _by_xla(
  x: jax.Array, kernel: jax.Array, strides: _Pair, pads: _Pads, dilation: _Pair
) -> jax.Array:
  return lax.conv_general_dilated(
    x,
    kernel,
    strides,
    pads,
    rhs_dilation=dilation,
    dimension_numbers=_LAYOUT,
  )


_fast = jax.custom_vjp(_by_xla, nondiff_argnums=(2, 3, 4))


def _forward(
  x: jax.Array, kernel: jax.Array, *how: Any
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  like = jax.eval_shape(lambda: _by_xla(x, kernel, *how))
  form = fewer.form(x, kernel, *how, outputs=like.size)
  if form is None:
    return _by_xla(x, kernel, *how), (x, kernel)
  y = winograd.convolve(*form.given(x, kernel), form.pads)
  (y,) = jax.linear_transpose(form.outputs, like)(y)
  return y, (x, kernel)


def _backward(
  strides: _Pair,
  pads: _Pads,
  dilation: _Pair,
  given: tuple[jax.Array, jax.Array],
  grad: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  x, kernel = given
  form = fewer.form(x, kernel, strides, pads, dilation, outputs=grad.size)
  if form is not None:
    both, back = jax.vjp(form.given, x, kernel)
    return back(winograd.gradients(*both, form.outputs(grad), form.pads))
  h, w, c, f = kernel.shape
  count, width = grad.size // f, h * w * min(c, f)
  product = count >= _ENOUGH * width and _LEAST <= count * width <= _MOST
  if product and strides == (1, 1) and f <= c:
    return _from_outputs(x, kernel, grad, pads, dilation)
  product = product and count * h * w * c <= _MOST
  how = (strides, pads, dilation)
  of_x = jax.linear_transpose(lambda x: _by_xla(x, kernel, *how), x)
  if product:
    return *of_x(grad), _from_inputs(x, kernel, grad, *how)
  of_kernel = jax.linear_transpose(lambda k: _by_xla(x, k, *how), kernel)
  return *of_x(grad), *of_kernel(grad)


_fast.defvjp(_forward, _backward)


def _from_inputs(
  x: jax.Array,
  kernel: jax.Array,
  grad: jax.Array,
  strides: _Pair,
  pads: _Pads,
  dilation: _Pair,
) -> jax.Array:
  """A kernel's gradient, from the pixels that each output sees."""
  size = grad.shape[1:3]
  seen = _taps(x, kernel.shape[:2], strides, pads, dilation, size)
  found = winograd.product(_columns(seen), grad.reshape(-1, grad.shape[-1]))
  return found.reshape(kernel.shape).astype(kernel.dtype)


def _from_outputs(
  x: jax.Array,
  kernel: jax.Array,
  grad: jax.Array,
  pads: _Pads,
  dilation: _Pair,
) -> tuple[jax.Array, jax.Array]:
  """Both gradients at stride 1, from the outputs that see each pixel."""
  h, w, c, f = kernel.shape
  reach = [(n - 1) * d for n, d in zip((h, w), dilation, strict=True)]
  pads = tuple(
    (r - before, r - after)
    for r, (before, after) in zip(reach, pads, strict=True)
  )
  taps = _taps(grad, (h, w), (1, 1), pads, dilation, x.shape[1:3])
  columns = _columns(taps[::-1])
  of_x = columns @ kernel.transpose(0, 1, 3, 2).reshape(-1, c)
  of_kernel = winograd.product(x.reshape(-1, c), columns).reshape(c, h, w, f)
  of_kernel = of_kernel.transpose(1, 2, 0, 3).astype(kernel.dtype)
  return of_x.reshape(x.shape), of_kernel


def _taps(
  x: jax.Array,
  sides: Sequence[int],
  strides: _Pair,
  pads: _Pads,
  dilation: _Pair,
  size: Sequence[int],
) -> list[jax.Array]:
  """For each number of a kernel, the map that it is multiplied with."""
  edges = [(0, 0, 0), *((*pad, 0) for pad in pads), (0, 0, 0)]
  x = lax.pad(x, jnp.zeros((), x.dtype), edges)
  starts = [range(0, n * d, d) for n, d in zip(sides, dilation, strict=True)]
  spans = [(n - 1) * s + 1 for n, s in zip(size, strides, strict=True)]
  return [
    lax.slice(
      x,
      (0, i, j, 0),
      (len(x), i + spans[0], j + spans[1], x.shape[-1]),
      (1, *strides, 1),
    )
    for i, j in itertools.product(*starts)
  ]


def _columns(taps: Sequence[jax.Array]) -> jax.Array:
  """A row for each position, with all its numbers."""
  return jnp.concatenate(taps, axis=-1).reshape(
    -1, len(taps) * taps[0].shape[-1]
  )
