"""Convolutions that halve or double an image's sides, written to be fast.

Contract: that of `models.blocks`.
"""

import itertools
import math

import jax
import jax.numpy as jnp
from flax import linen as nn

from inpaintax.models import blocks, convolution, fewer, memory, winograd

# Channels and features from which fewer multiplications are faster.
_FEW = 8


# Of a repeated map, along rows and along columns: its values (0), or its steps
# from one value to the next (1).
_KINDS = tuple(itertools.product((0, 1), repeat=2))


class DownConv(nn.Module):
  """4x4 convolution of stride 2: half the height and width.

  The values and the parameter shape of `nn.Conv(features, (4, 4), 2,
  padding=((1, 1), (1, 1)), use_bias=False)`, computed by
  `convolution.convolve`.

  Input float `[B, H, W, C]`, H and W even; output `[B, H/2, W/2, features]`.

  Attributes:
    features: channels of the output.
    kernel_init: initialiser of `kernel`, float32 `[4, 4, C, features]`.
    dtype: type of the computation.
  """

  features: int
  kernel_init: blocks.Initializer = nn.initializers.lecun_normal()
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (4, 4, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape).astype(self.dtype)
    x = x.astype(self.dtype)
    return convolution.convolve(x, kernel, (2, 2), ((1, 1), (1, 1)))


class WideDownConv(nn.Module):
  """5x5 convolution of stride 2: half the height and width.

  The values and the parameter shapes of `nn.Conv(features, (5, 5), 2,
  padding=((2, 2), (2, 2)))`. On a CPU it is computed as a 3x3 convolution of
  stride 1 over cells of 2x2 pixels, the kernel's sixth row and column being 0:
  a third more products, but a gradient that is several times faster.

  Input float `[B, H, W, C]`, H and W even; output `[B, H/2, W/2, features]`.

  Attributes:
    features: channels of the output.
    use_bias: whether to add a bias.
    kernel_init: initialiser of `kernel`, float32 `[5, 5, C, features]`.
    dtype: type of the computation.
  """

  features: int
  use_bias: bool = True
  kernel_init: blocks.Initializer = nn.initializers.lecun_normal()
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    blocks.check_sides(x, 2)
    shape = (5, 5, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape).astype(self.dtype)
    x, stride, edge = x.astype(self.dtype), 2, 2
    if jax.default_backend() == 'cpu':
      b, h, w, c = x.shape
      cells = x.reshape(b, h // 2, 2, w // 2, 2, c)
      x = cells.transpose(0, 1, 3, 2, 4, 5).reshape(b, h // 2, w // 2, 4 * c)
      kernel = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
      kernel = kernel.reshape(3, 2, 3, 2, c, -1).transpose(0, 2, 1, 3, 4, 5)
      kernel, stride, edge = kernel.reshape(3, 3, 4 * c, -1), 1, 1
    pads = ((edge, edge), (edge, edge))
    y = convolution.convolve(x, kernel, (stride, stride), pads)
    if not self.use_bias:
      return y
    zeros = nn.initializers.zeros
    bias = self.param('bias', zeros, (self.features,)).astype(self.dtype)
    return y + bias[None, None, None]


class ResizeConv(nn.Module):
  """3x3 convolution of a map whose values are repeated 2x2, and of maps joined.

  The values and the parameter shapes of `nn.Conv(features, (3, 3))` over all of
  their channels, one map after the other. On a CPU, in float32, nothing is
  repeated, and a quarter of the map's multiplications is left.

  Called with float `[B, H, W, C]` and any number of `[B, 2H, 2W, C']`; output
  `[B, 2H, 2W, features]`. ValueError if their sizes do not match.

  Attributes:
    features: channels of the output.
    use_bias: whether to add a bias.
    kernel_init: initialiser of `kernel`, float32 `[3, 3, all C, features]`.
    dtype: type of the computation.

  Source: Odena et al. 2016, doi:10.23915/distill.00003, "resize-convolution".
  """

  features: int
  use_bias: bool = True
  kernel_init: blocks.Initializer = nn.initializers.lecun_normal()
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *joined: jax.Array) -> jax.Array:
    b, h, w, c = x.shape
    for one in joined:
      if one.shape[:-1] != (b, 2 * h, 2 * w):
        raise ValueError(
          f'a map {one.shape} cannot be joined to {x.shape}, which becomes'
          f' {(b, 2 * h, 2 * w, c)}.'
        )
    x, *others = (one.astype(self.dtype) for one in (x, *joined))
    shape = (3, 3, sum(one.shape[-1] for one in (x, *others)), self.features)
    kernel = self.param('kernel', self.kernel_init, shape).astype(self.dtype)
    plain = lambda kernel, *maps: convolution.convolve(
      jnp.concatenate(maps, -1), kernel, (1, 1), ((1, 1), (1, 1))
    )
    if jax.default_backend() == 'cpu' and x.dtype == jnp.float32:
      y = _over_repeated(x, kernel[:, :, :c])
      if others:
        y += plain(kernel[:, :, c:], *others)
    else:
      y = plain(kernel, x.repeat(2, axis=1).repeat(2, axis=2), *others)
    if not self.use_bias:
      return y
    zeros = nn.initializers.zeros
    bias = self.param('bias', zeros, (self.features,)).astype(self.dtype)
    return y + bias[None, None, None]


class UpConv(nn.Module):
  """4x4 transposed convolution of stride 2: twice the height and width.

  The values and the parameter shape of `nn.ConvTranspose(features, (4, 4),
  (2, 2), use_bias=False)`, written as one matrix product that gives each input
  pixel its 4x4 outputs, which are then added where they overlap. On CPU the
  weight gradient of the plain form is tens of times slower. Where gradients are
  taken, and there is much to do, fewer multiplications (`fewer`) halve the time
  there; forward-mode derivatives cannot be taken then.

  Input float `[B, H, W, C]`; output `[B, 2H, 2W, features]`.

  Attributes:
    features: channels of the output.
    kernel_init: initialiser of `kernel`, float32 `[4, 4, C, features]`.
    dtype: type of the computation.
  """

  features: int
  kernel_init: blocks.Initializer = nn.initializers.lecun_normal()
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (4, 4, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape).astype(self.dtype)
    x = x.astype(self.dtype)
    b, h, w, c = x.shape
    # Each output sees 2x2 pixels.
    outputs = 4 * b * h * w * self.features
    much = fewer.worth(x, kernel, outputs=outputs, terms=4 * c)
    if much and min(c, self.features) >= _FEW:
      return _double(x, kernel)
    return _by_product(x, kernel)


def _over_repeated(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """The 3x3 convolution of a map whose values are repeated 2x2.

  In one direction, outputs 2n and 2n + 1 are (k0 + k1 + k2) x[n], and -k0 times
  the step from x[n-1] to x[n], or k2 times that from x[n] to x[n+1]. In both,
  values and steps of the one are values or steps of the other, four kinds.
  """
  # Of three taps, or rows of them: added one by one, as XLA's sums over an axis
  # that is not the last take twenty times as long.
  whole = lambda first, middle, last: (first + middle + last,)
  outer = lambda first, middle, last: (last, -first)
  shares = []
  for tall, wide in _KINDS:
    seen = _steps(x, 1) if tall else x
    seen = _steps(seen, 2) if wide else seen
    rows = (outer if tall else whole)(*kernel)
    taps = [tap for row in rows for tap in (outer if wide else whole)(*row)]
    *sides, c = seen.shape
    share = seen.reshape(math.prod(sides), c) @ jnp.concatenate(taps, axis=-1)
    shares.append(share.reshape(*sides, 1 + tall, 1 + wide, kernel.shape[-1]))
  return _added(shares)


def _sum_of(shares: list[jax.Array]) -> jax.Array:
  """The outputs, `[B, 2H, 2W, F]`, of what values and steps add to each.

  A step's are the output before it and the one behind it: 2n - 1 and 2n.
  """
  b, h, w, *_, f = shares[0].shape
  at = lambda p, q: sum(
    share[:, p * tall :, q * wide :, (1 - p) * tall, (1 - q) * wide][:, :h, :w]
    for (tall, wide), share in zip(_KINDS, shares, strict=True)
  )
  rows = [jnp.stack([at(p, q) for q in (0, 1)], axis=3) for p in (0, 1)]
  return memory.kept(jnp.stack(rows, axis=2)).reshape(b, 2 * h, 2 * w, f)


def _parted(_: None, grad: jax.Array) -> tuple[list[jax.Array]]:
  """The transpose of `_sum_of`, from one map that is padded once."""
  b, height, width, f = grad.shape
  around = jnp.pad(grad, ((0, 0), (1, 1), (1, 1), (0, 0)))
  shares = []
  for tall, wide in _KINDS:
    seen = around if tall else around[:, 1:-1]
    seen = seen if wide else seen[:, :, 1:-1]
    seen = seen.reshape(b, height // 2 + tall, 2, width // 2 + wide, 2, f)
    seen = seen if tall else seen[:, :, :1] + seen[:, :, 1:]
    seen = seen if wide else seen[..., :1, :] + seen[..., 1:, :]
    shares.append(memory.kept(seen.transpose(0, 1, 3, 2, 4, 5)))
  return (shares,)


_added = jax.custom_vjp(_sum_of)
# Not of itself, so that gradients have forward-mode derivatives.
_added.defvjp(lambda shares: (_sum_of(shares), None), _parted)


def _steps(x: jax.Array, axis: int) -> jax.Array:
  """From each place to the next, zeros before the first and after the last."""
  zeros = jnp.zeros_like(jax.lax.slice_in_dim(x, 0, 1, axis=axis))
  return jnp.diff(x, axis=axis, prepend=zeros, append=zeros)


def _by_product(x: jax.Array, kernel: jax.Array) -> jax.Array:
  b, h, w, c = x.shape
  f = kernel.shape[-1]
  # [C, 16 F]: what a pixel adds to output rows and columns -2..1 around it.
  kernel = kernel.transpose(2, 0, 1, 3).reshape(c, -1)
  y = (x.reshape(-1, c) @ kernel).reshape(b, h, w, 4, 4, f)
  y = _overlap_add(y, 1).reshape(b, 2 * h, w, 4, f)
  return _overlap_add(y, 2).reshape(b, 2 * h, 2 * w, f)


def _overlap_add(y: jax.Array, axis: int) -> jax.Array:
  """Sums neighbours' shares: `[..., N, (W,) 4, ...]` to `[..., N, 2, ...]`.

  Output 2n is k0 x[n-1] + k2 x[n], and 2n+1 is k1 x[n] + k3 x[n+1].
  """
  taps = 3  # The axis of 4 comes after rows and columns, and stays there.
  n = y.shape[axis]
  k0, k1, k2, k3 = (jnp.take(y, i, axis=taps) for i in range(4))
  before = [(0, 0)] * k0.ndim
  after = list(before)
  before[axis], after[axis] = (1, 0), (0, 1)
  even = k2 + jnp.pad(jax.lax.slice_in_dim(k0, 0, n - 1, axis=axis), before)
  odd = k1 + jnp.pad(jax.lax.slice_in_dim(k3, 1, n, axis=axis), after)
  return jnp.stack([even, odd], axis=axis + 1)


# Without gradients there is no time to win a longer compilation back.
_double = jax.custom_vjp(_by_product)


def _halving(kernel: jax.Array) -> jax.Array:
  """The kernel of the convolution whose transpose `UpConv` is, over cells."""
  return fewer.over_cells(kernel[::-1, ::-1].swapaxes(2, 3))


def _forward(
  x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  like = jax.eval_shape(_by_product, x, kernel)
  y = winograd.spread(x, _halving(kernel))
  return *jax.linear_transpose(fewer.cells, like)(y), (x, kernel)


def _backward(
  given: tuple[jax.Array, jax.Array], grad: jax.Array
) -> tuple[jax.Array, jax.Array]:
  # Lest the forward pass's sums be kept until now.
  x, kernel = jax.lax.optimization_barrier(given)
  grad, bare = fewer.cells(grad), ((0, 0), (0, 0))
  whole, back = jax.vjp(_halving, kernel)
  of_x = winograd.convolve(grad, whole, bare)
  return of_x, *back(winograd.of_kernel(grad, x, bare, 2))


_double.defvjp(_forward, _backward)
