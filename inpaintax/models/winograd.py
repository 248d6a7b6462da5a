"""Convolutions with fewer multiplications than terms, for CPUs.

Of 2x2 neighbouring outputs of a 3x3 kernel, 16 products give all that 36 do one
by one, of 4x4 outputs 36 what 144 do; of a 2x2 kernel, 9 what 16 do. What is
multiplied are sums of pixels and of weights; outputs are sums of the products.
Over channels each is a product of matrices.

Source: Winograd 1980, "Arithmetic complexity of computations"; for networks
Lavin and Gray 2016, arXiv:1509.09308.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from inpaintax.models import memory, toom_cook
from inpaintax.models.toom_cook import Changes, Matrix

_Pads = tuple[tuple[int, int], ...]
_Grid = list[list[jax.Array]]


# Jitted, these are traced and lowered once for all layers alike; XLA makes the
# same of the program as without.
@functools.partial(jax.jit, static_argnames='pads')
def convolve(x: jax.Array, kernel: jax.Array, pads: _Pads) -> jax.Array:
  """A convolution of stride 1, as `lax.conv_general_dilated` defines it.

  Args:
    x: float32 `[B, H, W, C]`, or `[B, H, 2, W, C/2]` of `fewer.cells`.
    kernel: float32 `[3, 3, C, F]`, or `[2, 2, C, F]` of cells.
    pads: zeros before and after rows, and columns; negative ones crop. Of cells
      there are none.

  Returns:
    float32 `[B, H', W', F]`; each within about 3e-6 of the largest, 1e-6 of
    cells or few tiles (`toom_cook.changes`).
  """
  return _convolve(x, kernel, pads, 0)


def _convolve(
  x: jax.Array, kernel: jax.Array, pads: _Pads, channels: int
) -> jax.Array:
  """As `convolve`; `channels` is the axis of the kernel's last two."""
  side, sides = len(kernel), (x.shape[1], x.shape[-2])
  size = [n + sum(pad) - side + 1 for n, pad in zip(sides, pads, strict=True)]
  changes = toom_cook.changes(side, len(x), size, max(kernel.shape[2:]))
  mixed = lambda v, u: lax.dot_general(v, u, (((3,), (channels,)), ((), ())))
  seen = _seen(x, pads, changes, size)
  products = _each(mixed, seen, _twice(changes.weights, kernel))
  # Columns, then rows.
  rows = [
    memory.kept(jnp.stack(_sums(changes.outputs, row), axis=3))
    for row in products
  ]
  y = jnp.stack(_sums(changes.outputs, rows), axis=2)
  b, tall, tile, wide, _, f = y.shape
  y = memory.kept(y.reshape(b, tile * tall, tile * wide, f))
  return y[:, : size[0], : size[1]]


@functools.partial(jax.jit, static_argnames='pads')
def of_images(grad: jax.Array, kernel: jax.Array, pads: _Pads) -> jax.Array:
  """The gradient of the images of `convolve`.

  Args:
    grad: of its output.
    kernel: as for `convolve`, not transposed.
    pads: as for `convolve`.

  Returns:
    float32, as x of `convolve` is, as exact as that.
  """
  if len(kernel) == 2:
    return spread(grad, kernel)
  back = tuple((2 - before, 2 - after) for before, after in pads)
  return _convolve(grad, kernel[::-1, ::-1], back, 1)


@jax.jit
def spread(grad: jax.Array, kernel: jax.Array) -> jax.Array:
  """The transpose of a 2x2 `convolve` without padding, as a map of its images.

  Each step turned around. For a 3x3 kernel `convolve` itself is faster.

  Args:
    grad: float32 `[B, H, W, F]`.
    kernel: float32 `[2, 2, C, F]`.

  Returns:
    float32 `[B, H + 1, 2, W + 1, C/2]`, see `fewer.cells`, within about 1e-6
    of the largest.
  """
  mixed = lambda v, u: lax.dot_general(v, u, (((3,), (1,)), ((), ())))
  changes = toom_cook.SMALL[2]
  shares = _each(mixed, _back(grad, changes), _twice(changes.weights, kernel))
  columns = [
    _overlapped(*column, axis=1) for column in zip(*shares, strict=True)
  ]
  rows = [_overlapped(*row, axis=2) for row in zip(*columns, strict=True)]
  y = jnp.stack([jnp.stack(row, axis=3) for row in rows], axis=2)
  b, tall, _, wide, _, c = y.shape
  y = y.reshape(b, 2 * tall, 2 * wide, 2, c // 2).transpose(0, 1, 3, 2, 4)
  return memory.kept(y)[:, : grad.shape[1] + 1, :, : grad.shape[2] + 1]


@functools.partial(jax.jit, static_argnames=('pads', 'side'))
def of_kernel(
  x: jax.Array, grad: jax.Array, pads: _Pads, side: int
) -> jax.Array:
  """The gradient of the kernel of `convolve`: each step turned around.

  Args:
    x: as for `convolve`.
    grad: of its output.
    pads: as for `convolve`.
    side: of the kernel, 2 or 3.

  Returns:
    float32 `[side, side, C, F]`, as exact as `convolve`.
  """
  size = grad.shape[1:3]
  most = max(x.size // (len(x) * x.shape[1] * x.shape[-2]), grad.shape[3])
  changes = toom_cook.changes(side, len(x), size, most)
  seen = _seen(x, pads, changes, size)
  flat = lambda a: a.reshape(-1, a.shape[-1])
  products = _each(
    lambda v, m: product(flat(v), flat(m)), seen, _back(grad, changes)
  )
  rows = _twice(_turned(changes.weights), products)
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


def _seen(
  x: jax.Array, pads: _Pads, changes: Changes, size: Sequence[int]
) -> _Grid:
  """The sums of pixels that are multiplied, each of all tiles.

  A tile is what neighbouring outputs see, and overlaps the next; where outputs
  end within one, what is behind them is zeros.
  """
  tile, reach = changes.tile, len(changes.pixels)
  tall, wide = (-(-n // tile) for n in size)
  if x.ndim == 4:
    x = x[:, :, None]
  edges = [
    (before, max(tile * (count - 1) + reach - length - before, 0), 0)
    for (before, _), count, length in zip(
      pads, (tall, wide), x.shape[1:4:2], strict=True
    )
  ]
  x = _pad(x, [(0, 0, 0), edges[0], (0, 0, 0), edges[1], (0, 0, 0)])
  rows = [_every(x, i, tile, tall, axis=1) for i in range(reach)]
  rows = _sums(changes.pixels, rows)
  if tile > 2:  # Of fewer terms it is faster to add all at once.
    rows = [memory.kept(row) for row in rows]
  grid = [
    [_every(row, j, tile, wide, axis=3) for j in range(reach)] for row in rows
  ]
  return [[_beside(v) for v in _sums(changes.pixels, row)] for row in grid]


def _beside(cells: jax.Array) -> jax.Array:
  """`[B, H, k, W, C]` to `[B, H, W, k C]`."""
  b, tall, k, wide, c = cells.shape
  cells = cells.transpose(0, 1, 3, 2, 4)
  if k > 1:  # Else XLA asks of each number in which row it lies.
    cells = memory.kept(cells)
  return cells.reshape(b, tall, wide, k * c)


def _back(grad: jax.Array, changes: Changes) -> _Grid:
  """What each of a tile's products gets of its outputs' gradients."""
  tile, turned = changes.tile, _turned(changes.outputs)
  tall, wide = (-(-n // tile) for n in grad.shape[1:3])
  # Zeros around it, as `of_images` has them: so it is put in memory once.
  around = [
    (1, tile * count + 1 - n, 0)
    for count, n in zip((tall, wide), grad.shape[1:3], strict=True)
  ]
  grad = _pad(grad, [(0, 0, 0), *around, (0, 0, 0)])
  rows = [_every(grad, 1 + i, tile, tall, axis=1) for i in range(tile)]
  if tile == 2:
    outputs = [
      [_every(row, 1 + j, tile, wide, axis=2) for j in range(tile)]
      for row in rows
    ]
    return _twice(turned, outputs)
  rows = [memory.kept(row) for row in _sums(turned, rows)]
  return [
    _sums(turned, [_every(row, 1 + j, tile, wide, axis=2) for j in range(tile)])
    for row in rows
  ]


def _overlapped(
  first: jax.Array, second: jax.Array, third: jax.Array, *, axis: int
) -> list[jax.Array]:
  """The even and odd places of a row of tiles, from the three shares of each.

  The transpose of `toom_cook.SMALL[2].pixels`; a tile's last place is the first
  of the next one.
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
  return [before + first, second - first - here]


def _pad(x: jax.Array, edges: Sequence[tuple[int, int, int]]) -> jax.Array:
  return lax.pad(x, jnp.zeros((), x.dtype), edges)


def _every(
  x: jax.Array, start: int, step: int, count: int, *, axis: int
) -> jax.Array:
  end = start + step * (count - 1) + 1
  return lax.slice_in_dim(x, start, end, stride=step, axis=axis)


def _twice(matrix: Matrix, grid: Iterable[Iterable[jax.Array]]) -> _Grid:
  """A matrix times columns, then times rows."""
  columns = [_sums(matrix, column) for column in zip(*grid, strict=True)]
  return [_sums(matrix, row) for row in zip(*columns, strict=True)]


def _sums(matrix: Matrix, terms: Iterable[jax.Array]) -> list[jax.Array]:
  """A matrix times arrays."""
  terms = list(terms)
  return [
    functools.reduce(
      operator.add,
      [
        term if factor == 1 else -term if factor == -1 else factor * term
        for factor, term in zip(row, terms, strict=True)
        if factor
      ],
    )
    for row in matrix
  ]


def _turned(matrix: Matrix) -> Matrix:
  return list(zip(*matrix, strict=True))


def _each(
  work: Callable[[jax.Array, jax.Array], jax.Array], first: _Grid, other: _Grid
) -> _Grid:
  return [
    [work(*pair) for pair in zip(*rows, strict=True)]
    for rows in zip(first, other, strict=True)
  ]
