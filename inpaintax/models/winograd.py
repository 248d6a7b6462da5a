"""Convolutions with fewer multiplications than terms, for CPUs.

Of 2x2 neighbouring outputs of a 3x3 kernel, 16 products give all that 36 do one
by one; of a 2x2 kernel, 9 what 16 do. What is multiplied are sums and
differences of pixels and of weights; outputs are sums and differences of the
products. Over channels each is a product of matrices.

Source: Winograd 1980, "Arithmetic complexity of computations"; for networks
Lavin and Gray 2016, arXiv:1509.09308, F(2x2, 3x3), whose choice of points this
is; F(2x2, 2x2) likewise, of the points 0, 1 and infinity.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

_Pads = tuple[tuple[int, int], ...]
_Row = Sequence[jax.Array]
_Grid = list[list[jax.Array]]


# Jitted, these are traced and lowered once for all layers alike; XLA makes the
# same of the program as without.
@functools.partial(jax.jit, static_argnames=('pads', 'transposed'))
def convolve(
  x: jax.Array, kernel: jax.Array, pads: _Pads, *, transposed: bool = False
) -> jax.Array:
  """A convolution of stride 1, as `lax.conv_general_dilated` defines it.

  Args:
    x: float32 `[B, H, W, C]`.
    kernel: float32 `[3, 3, C, F]` or `[2, 2, C, F]`.
    pads: zeros before and after rows, and columns; negative ones crop.
    transposed: whether the kernel is `[..., F, C]`.

  Returns:
    float32 `[B, H', W', F]`; each within about 1e-6 of the largest.
  """
  side = len(kernel)
  size = [
    n + sum(pad) - side + 1 for n, pad in zip(x.shape[1:3], pads, strict=True)
  ]
  channels = 1 if transposed else 0
  mixed = lambda v, u: lax.dot_general(v, u, (((3,), (channels,)), ((), ())))
  seen = _twice(_PIXELS[side], _tiles(x, pads, side, size))
  products = _each(mixed, seen, _twice(_WEIGHTS[side], kernel))
  outputs = _twice(_OUTPUTS[side], products)
  y = jnp.stack([jnp.stack(row, axis=3) for row in outputs], axis=2)
  b, tall, _, wide, _, f = y.shape
  y = y.reshape(b, 2 * tall, 2 * wide, f)
  return y[:, : size[0], : size[1]]


@functools.partial(jax.jit, static_argnames='pads')
def gradients(
  x: jax.Array, kernel: jax.Array, grad: jax.Array, pads: _Pads
) -> tuple[jax.Array, jax.Array]:
  """What reverse-mode differentiation of `convolve` gives, sooner.

  Args:
    x: as for `convolve`.
    kernel: likewise, not transposed.
    grad: of its output.
    pads: as for `convolve`.

  Returns:
    (of x, of the kernel), within about 1e-6 of the largest.
  """
  # Lest the forward pass's sums be kept until now: four times what x takes.
  x, kernel = lax.optimization_barrier((x, kernel))
  if len(kernel) == 2:
    crop = [(-before, -after, 0) for before, after in pads]
    of_x = _pad(spread(grad, kernel), [(0, 0, 0), *crop, (0, 0, 0)])
  else:
    back = tuple((2 - before, 2 - after) for before, after in pads)
    of_x = convolve(grad, kernel[::-1, ::-1], back, transposed=True)
  return of_x, of_kernel(x, grad, pads, len(kernel))


@jax.jit
def spread(grad: jax.Array, kernel: jax.Array) -> jax.Array:
  """The transpose of a 2x2 `convolve` without padding, as a map of its images.

  Each step turned around. For a 3x3 kernel `convolve` itself is faster.

  Args:
    grad: float32 `[B, H, W, F]`.
    kernel: float32 `[2, 2, C, F]`.

  Returns:
    float32 `[B, H + 1, W + 1, C]`, within about 1e-6 of the largest.
  """
  mixed = lambda v, u: lax.dot_general(v, u, (((3,), (1,)), ((), ())))
  shares = _each(mixed, _back(grad, 2), _twice(_WEIGHTS[2], kernel))
  columns = [
    _overlapped(*column, axis=1) for column in zip(*shares, strict=True)
  ]
  rows = [_overlapped(*row, axis=2) for row in zip(*columns, strict=True)]
  y = jnp.stack([jnp.stack(row, axis=3) for row in rows], axis=2)
  b, tall, _, wide, _, c = y.shape
  y = y.reshape(b, 2 * tall, 2 * wide, c)
  return y[:, : grad.shape[1] + 1, : grad.shape[2] + 1]


@functools.partial(jax.jit, static_argnames=('pads', 'side'))
def of_kernel(
  x: jax.Array, grad: jax.Array, pads: _Pads, side: int
) -> jax.Array:
  """The gradient of a kernel: each step of `convolve` turned around.

  Args:
    x: as for `convolve`.
    grad: of its output.
    pads: as for `convolve`.
    side: of the kernel, 2 or 3.

  Returns:
    float32 `[side, side, C, F]`, within about 1e-6 of the largest.
  """
  back = _back(grad, side)
  seen = _twice(_PIXELS[side], _tiles(x, pads, side, grad.shape[1:3]))
  flat = lambda a: a.reshape(-1, a.shape[-1])
  products = _each(lambda v, m: product(flat(v), flat(m)), seen, back)
  rows = _twice(_WEIGHTS_BACK[side], products)
  return jnp.stack([jnp.stack(row) for row in rows])


def product(a: jax.Array, b: jax.Array) -> jax.Array:
  """`a^T b` of long matrices; the narrower one first is faster.

  Args:
    a: float `[N, C]`.
    b: float `[N, F]`.

  Returns:
    float32 `[C, F]`.
  """
  if a.shape[1] > b.shape[1]:
    return product(b, a).T
  return jnp.matmul(a.T, b, preferred_element_type=jnp.float32)


def _tiles(x: jax.Array, pads: _Pads, side: int, size: Sequence[int]) -> _Grid:
  """The pixel at each place of all tiles, which overlap.

  A tile is what 2x2 outputs see; of an odd size the last one is half empty.
  """
  edges = [
    (before, after + n % 2, 0)
    for (before, after), n in zip(pads, size, strict=True)
  ]
  x = _pad(x, [(0, 0, 0), *edges, (0, 0, 0)])
  tall, wide = ((n + 1) // 2 for n in size)
  at = lambda i, j: lax.slice(
    x,
    (0, i, j, 0),
    (len(x), i + 2 * tall - 1, j + 2 * wide - 1, x.shape[-1]),
    (1, 2, 2, 1),
  )
  return [[at(i, j) for j in range(side + 1)] for i in range(side + 1)]


def _back(grad: jax.Array, side: int) -> _Grid:
  """What each of a tile's products gets of its outputs' gradients."""
  odd = [(0, n % 2) for n in grad.shape[1:3]]
  grad = jnp.pad(grad, ((0, 0), *odd, (0, 0)))
  outputs = [[grad[:, i::2, j::2] for j in range(2)] for i in range(2)]
  return _twice(_OUTPUTS_BACK[side], outputs)


def _overlapped(
  first: jax.Array, second: jax.Array, third: jax.Array, *, axis: int
) -> _Row:
  """The even and odd places of a row of tiles, from the three shares of each.

  The transpose of `_PIXELS[2]`; a tile's last place is the next one's first.
  """
  edges = lambda before: [
    (before * (i == axis), int(i == axis), 0) for i in range(first.ndim)
  ]
  # With zeros around them, in arrays of their own: within the sum each place
  # would be asked whether it is at a border, which takes up to twice as long.
  first, second, third = lax.optimization_barrier(
    (_pad(first, edges(0)), _pad(second, edges(0)), _pad(third, edges(1)))
  )
  before = lax.slice_in_dim(third, 0, -1, axis=axis)
  here = lax.slice_in_dim(third, 1, None, axis=axis)
  return first - before, second + here - first


def _pad(x: jax.Array, edges: Sequence[tuple[int, int, int]]) -> jax.Array:
  return lax.pad(x, jnp.zeros((), x.dtype), edges)


def _twice(
  change: Callable[..., _Row], grid: Sequence[_Row] | _Grid | jax.Array
) -> _Grid:
  """A change of rows, then of columns."""
  columns = [change(*column) for column in zip(*grid, strict=True)]
  return [list(change(*row)) for row in zip(*columns, strict=True)]


def _each(
  work: Callable[[jax.Array, jax.Array], jax.Array], first: _Grid, other: _Grid
) -> _Grid:
  return [
    [work(*pair) for pair in zip(*rows, strict=True)]
    for rows in zip(first, other, strict=True)
  ]


# The changes, in one dimension, by the kernel's side.
_Changes = dict[int, Callable[..., _Row]]
_PIXELS: _Changes = {
  2: lambda a, b, c: (a - b, b, b - c),
  3: lambda a, b, c, d: (a - c, b + c, c - b, b - d),
}
_WEIGHTS: _Changes = {
  2: lambda a, b: (a, a + b, b),
  3: lambda a, b, c: (a, (a + b + c) / 2, (a - b + c) / 2, c),
}
_OUTPUTS: _Changes = {
  2: lambda a, b, c: (a + b, b - c),
  3: lambda a, b, c, d: (a + b + c, b - c - d),
}
# And their transposes.
_OUTPUTS_BACK: _Changes = {
  2: lambda a, b: (a, a + b, -b),
  3: lambda a, b: (a, a + b, a - b, -b),
}
_WEIGHTS_BACK: _Changes = {
  2: lambda a, b, c: (a + b, b + c),
  3: lambda a, b, c, d: (a + (b + c) / 2, (b - c) / 2, (b + c) / 2 + d),
}
