"""Convolutions that are fast to train on a CPU.

Where gradients are taken, and a kernel is 3x3, or 4x4 and halves the sides, and
there is much to do, all three passes take fewer multiplications (`fewer`).

For the others: the gradient of a kernel sums over all positions of all images.
XLA makes it as a convolution with a window as large as the map, of which it
keeps one core busy where channels are few. As one product of matrices it is two
to six times faster. So are all passes of one that has but few channels, as
first and last layers have. Figures are in docs/performance.md.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from inpaintax.models import fewer, winograd

_LAYOUT = ('NHWC', 'HWIO', 'NHWC')
# Channels that XLA's own convolutions are slow with, of inputs and of outputs.
_FEW_INPUTS, _FEW_OUTPUTS = 8, 3
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
  they are taken, values may differ by 3e-6 of the largest.

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
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array | None]]:
  like = jax.eval_shape(lambda: _by_xla(x, kernel, *how))
  form = fewer.form(x, kernel, *how, outputs=like.size)
  if form is not None:
    y = winograd.convolve(form.images(x), form.kernel(kernel), form.pads)
    (y,) = jax.linear_transpose(form.outputs, like)(y)
    return y, (x, kernel, None)
  h, w, c, f = kernel.shape
  strides, pads, dilation = how
  if _narrow(x, kernel, like):
    if c < f:
      columns = _columns(x, (h, w), *how)
      y = columns @ kernel.reshape(-1, f)
      return y.reshape(like.shape), (x, kernel, columns)
    if strides == (1, 1):
      return _to_few(x, kernel, like, pads, dilation), (x, kernel, None)
  return _by_xla(x, kernel, *how), (x, kernel, None)


def _narrow(
  x: jax.Array, kernel: jax.Array, like: jax.ShapeDtypeStruct
) -> bool:
  """Whether one side alone has few channels, and there is much to do."""
  h, w, c, f = kernel.shape
  numbers = like.size // f * h * w * min(c, f)
  few = c <= _FEW_INPUTS if c < f else f <= _FEW_OUTPUTS < c
  return (
    few
    and _LEAST <= numbers <= _MOST
    and x.dtype == kernel.dtype == jnp.float32
  )


def _backward(
  strides: _Pair,
  pads: _Pads,
  dilation: _Pair,
  given: tuple[jax.Array, jax.Array, jax.Array | None],
  grad: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  x, kernel, columns = given
  form = fewer.form(x, kernel, strides, pads, dilation, outputs=grad.size)
  if form is not None:
    return _by_form(form, x, kernel, grad)
  h, w, c, f = kernel.shape
  how = (strides, pads, dilation)
  count, width = grad.size // f, h * w * min(c, f)
  product = count >= _ENOUGH * width and _LEAST <= count * width <= _MOST
  rows = grad.reshape(-1, f)
  to_rows = lambda x: _by_xla(x, kernel, *how).reshape(-1, f)
  if columns is not None:  # As `_forward` has made them.
    to_rows = lambda x: _columns(x, (h, w), *how) @ kernel.reshape(-1, f)
  elif product:
    if strides == (1, 1) and f <= c:
      return _from_outputs(x, kernel, grad, pads, dilation)
    if count * h * w * c <= _MOST:
      columns = _columns(x, (h, w), *how)
  of_x = jax.linear_transpose(to_rows, x)
  if columns is not None:
    found = winograd.product(columns, rows)
    return *of_x(rows), found.reshape(kernel.shape).astype(kernel.dtype)
  of_kernel = jax.linear_transpose(lambda k: _by_xla(x, k, *how), kernel)
  return *of_x(rows), *of_kernel(grad)


_fast.defvjp(_forward, _backward)


def _by_form(
  form: fewer.Form, x: jax.Array, kernel: jax.Array, grad: jax.Array
) -> tuple[jax.Array, jax.Array]:
  # Lest the forward pass's sums be kept until now: four times what x takes.
  x, kernel = lax.optimization_barrier((x, kernel))
  grad = form.outputs(grad)
  to_images = jax.linear_transpose(form.images, x)
  whole, to_kernel = jax.vjp(form.kernel, kernel)
  found = winograd.of_kernel(form.images(x), grad, form.pads, len(whole))
  return (
    *to_images(winograd.of_images(grad, whole, form.pads)),
    *to_kernel(found),
  )


def _from_outputs(
  x: jax.Array,
  kernel: jax.Array,
  grad: jax.Array,
  pads: _Pads,
  dilation: _Pair,
) -> tuple[jax.Array, jax.Array]:
  """Both gradients at stride 1, from the outputs that see each pixel."""
  h, w, c, f = kernel.shape
  turned, pads = _turned(kernel, pads, dilation)
  columns = _columns(grad, (h, w), (1, 1), pads, dilation)
  of_x = columns @ turned.reshape(-1, c)
  of_kernel = winograd.product(x.reshape(-1, c), columns).reshape(c, h, w, f)
  of_kernel = of_kernel.transpose(1, 2, 0, 3)[::-1, ::-1].astype(kernel.dtype)
  return of_x.reshape(x.shape), of_kernel


def _to_few(
  x: jax.Array,
  kernel: jax.Array,
  like: jax.ShapeDtypeStruct,
  pads: _Pads,
  dilation: _Pair,
) -> jax.Array:
  """A convolution of stride 1: what each pixel adds to the outputs around."""
  h, w, c, _ = kernel.shape
  turned, pads = _turned(kernel, pads, dilation)
  shares = x.reshape(-1, c) @ turned.reshape(-1, c).T
  seen = lambda y: _columns(y, (h, w), (1, 1), pads, dilation)
  (y,) = jax.linear_transpose(seen, like)(shares)
  return y


def _turned(
  kernel: jax.Array, pads: _Pads, dilation: _Pair
) -> tuple[jax.Array, _Pads]:
  """Kernel and padding with which a pixel sees the outputs that see it."""
  reach = [(n - 1) * d for n, d in zip(kernel.shape, dilation, strict=False)]
  pads = tuple(
    (r - before, r - after)
    for r, (before, after) in zip(reach, pads, strict=True)
  )
  return kernel[::-1, ::-1].swapaxes(2, 3), pads


def _columns(
  x: jax.Array, sides: _Pair, strides: _Pair, pads: _Pads, dilation: _Pair
) -> jax.Array:
  """A row for each output, of all that it sees, as a kernel lies in memory."""
  edges = [(0, 0, 0), *((*pad, 0) for pad in pads), (0, 0, 0)]
  x = lax.pad(x, jnp.zeros((), x.dtype), edges)
  # Pixels beside each other first: then whole rows of them are moved at once.
  for axis in (2, 1):
    side, stride, step = (of[axis - 1] for of in (sides, strides, dilation))
    whole = side % stride == x.shape[axis] % stride == 0
    if axis == 2 and step == 1 and whole:
      x = x.reshape(*x.shape[:2], x.shape[2] // stride, -1)  # As they lie.
      side, stride = side // stride, 1
    last = x.shape[axis] - (side - 1) * step
    x = jnp.concatenate(
      [
        lax.slice_in_dim(x, at, at + last, stride=stride, axis=axis)
        for at in range(0, side * step, step)
      ],
      axis=-1,
    )
  return x.reshape(-1, x.shape[-1])
