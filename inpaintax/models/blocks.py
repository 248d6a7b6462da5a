"""Layers that more than one model uses.

Contract: feature maps are float `[B, H, W, C]`; parameters are float32
whatever type a layer computes in.
"""

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

Initializer = nn.initializers.Initializer

# Of `DownConv`: channels of an image, whose gradient nobody needs; and features
# up to which XLA's convolution keeps one core of a CPU busy alone.
_IMAGE = 3
_FEW = 64


def check_sides(x: jax.Array, factor: int) -> None:
  """Refuses images that a network cannot halve often enough.

  Args:
    x: `[B, H, W, C]`.
    factor: what H and W must be multiples of.

  Raises:
    ValueError: they are not.
    AssertionError: `x` has another rank.
  """
  chex.assert_rank(x, 4)
  if x.shape[1] % factor or x.shape[2] % factor:
    raise ValueError(
      f'sides must be multiples of {factor}, got {x.shape[1:3]}.'
    )


def center_crop(x: jax.Array, side: tuple[int, int]) -> jax.Array:
  """Cuts the central block out of images or maps.

  Args:
    x: `[B, H, W, C]`, any type.
    side: height and width of the block, of the same parity as H and W.

  Returns:
    `[B, *side, C]`.

  Raises:
    ValueError: the block is larger than `x`, or has no exact centre in it.
  """
  chex.assert_rank(x, 4)
  top, left = x.shape[1] - side[0], x.shape[2] - side[1]
  if top < 0 or left < 0 or top % 2 or left % 2:
    raise ValueError(
      f'a block of {side} has no exact centre place in {x.shape[1:3]}.'
    )
  top, left = top // 2, left // 2
  return x[:, top : top + side[0], left : left + side[1]]


def block_corners(mask: jax.Array, side: tuple[int, int]) -> jax.Array:
  """Where the block lies that a network predicts: its centre is the hole's.

  Args:
    mask: `[B, H, W, 1]`, above 0 in the hole; an image without one has its
      block in its own centre.
    side: height and width of the block, pixels, at most those of the image.

  Returns:
    int32 `[B, 2]`: top row and left column. A block that would leave the image
    is moved inside.

  Raises:
    ValueError: the block is larger than the image.
  """
  chex.assert_rank(mask, 4)
  # A mask that is the same for every image would be folded at compile time, a
  # second's work for nothing.
  mask = jax.lax.optimization_barrier(mask)
  corners = []
  for axis, part in enumerate(side):
    whole = mask.shape[1 + axis]
    if part > whole:
      raise ValueError(f'a block of {side} does not fit in {mask.shape[1:3]}.')
    hit = (mask > 0).any((2 - axis, 3))  # [B, H] or [B, W]
    first = jnp.argmax(hit, axis=1)
    last = whole - 1 - jnp.argmax(hit[:, ::-1], axis=1)
    corner = (first + last + 1) // 2 - part // 2
    corners.append(jnp.clip(corner, 0, whole - part))
  return jnp.stack(corners, axis=1).astype(jnp.int32)


def cut(x: jax.Array, corners: jax.Array, side: tuple[int, int]) -> jax.Array:
  """Cuts a block out of each image.

  Args:
    x: `[B, H, W, C]`, any type.
    corners: int32 `[B, 2]`, top row and left column.
    side: height and width of the blocks.

  Returns:
    `[B, *side, C]`.
  """
  size = (*side, x.shape[-1])
  one = lambda x, at: jax.lax.dynamic_slice(x, (at[0], at[1], 0), size)
  return jax.vmap(one)(x, corners)


def paste(x: jax.Array, block: jax.Array, corners: jax.Array) -> jax.Array:
  """Puts a block into each image: the reverse of `cut`.

  Args:
    x: `[B, H, W, C]`.
    block: `[B, h, w, C]`, of the same type.
    corners: int32 `[B, 2]`, top row and left column.

  Returns:
    `[B, H, W, C]`.
  """
  one = lambda x, block, at: jax.lax.dynamic_update_slice(
    x, block, (at[0], at[1], 0)
  )
  return jax.vmap(one)(x, block, corners)


class DownConv(nn.Module):
  """4x4 convolution of stride 2: half the height and width.

  The values and the parameter shape of `nn.Conv(features, (4, 4), 2,
  padding=((1, 1), (1, 1)), use_bias=False)`. With few features a CPU computes
  it as one matrix product that gives each cell of 2x2 pixels its share of the
  2x2 outputs around it, which are then added: XLA's own has one core at work,
  and a slow gradient (docs/performance.md).

  Input float `[B, H, W, C]`, H and W even; output `[B, H/2, W/2, features]`.

  Attributes:
    features: channels of the output.
    kernel_init: initialiser of `kernel`, float32 `[4, 4, C, features]`.
    dtype: type of the computation.
  """

  features: int
  kernel_init: Initializer = nn.initializers.lecun_normal()
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (4, 4, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape).astype(self.dtype)
    x = x.astype(self.dtype)
    few = _IMAGE < shape[2] and self.features <= _FEW
    if few and jax.default_backend() == 'cpu':
      return _by_cells(x, kernel)
    return jax.lax.conv_general_dilated(
      x,
      kernel,
      (2, 2),
      ((1, 1), (1, 1)),
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )


def _by_cells(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """What `DownConv` gives, with one product."""
  b, h, w, c = x.shape
  f = kernel.shape[-1]
  # Cells begin in the padding: output n has the taps 0, 1 of cell n and the
  # taps 2, 3 of cell n + 1, in both directions.
  h, w = h // 2 + 1, w // 2 + 1
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  x = x.reshape(b, h, 2, w, 2, c).transpose(0, 1, 3, 2, 4, 5)
  kernel = kernel.reshape(2, 2, 2, 2, c, f).transpose(1, 3, 4, 0, 2, 5)
  y = x.reshape(-1, 4 * c) @ kernel.reshape(4 * c, 4 * f)
  y = y.reshape(b, h, w, 2, 2, f)
  rows = y[:, :-1, :, 0] + y[:, 1:, :, 1]
  return rows[:, :, :-1, 0] + rows[:, :, 1:, 1]


class UpConv(nn.Module):
  """4x4 transposed convolution of stride 2: twice the height and width.

  The values and the parameter shape of `nn.ConvTranspose(features, (4, 4),
  (2, 2), use_bias=False)`, written as one matrix product that gives each input
  pixel its 4x4 outputs, which are then added where they overlap. On CPU the
  weight gradient of the plain form is tens of times slower.

  Input float `[B, H, W, C]`; output `[B, 2H, 2W, features]`.

  Attributes:
    features: channels of the output.
    kernel_init: initialiser of `kernel`, float32 `[4, 4, C, features]`.
    dtype: type of the computation.
  """

  features: int
  kernel_init: Initializer = nn.initializers.lecun_normal()
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    b, h, w, c = x.shape
    f = self.features
    kernel = self.param('kernel', self.kernel_init, (4, 4, c, f))
    # [C, 16 F]: what a pixel adds to output rows and columns -2..1 around it.
    kernel = kernel.astype(self.dtype).transpose(2, 0, 1, 3).reshape(c, -1)
    y = (x.astype(self.dtype).reshape(-1, c) @ kernel).reshape(b, h, w, 4, 4, f)
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


class ChannelwiseDense(nn.Module):
  """Fully connects the positions of each feature map, channels kept apart.

  `C (HW)^2` weights instead of the `C^2 (HW)^2` of a full dense layer. No
  bias. Source: Pathak et al. 2016, arXiv:1604.07379, sec. 3.1.

  Input float `[B, H, W, C]`; output of the same shape.

  Attributes:
    kernel_init: initialiser of `kernel`, float32 `[C, HW, HW]`.
    dtype: type of the computation.
  """

  kernel_init: Initializer = nn.initializers.lecun_normal(
    in_axis=1, out_axis=2, batch_axis=0
  )
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    b, h, w, c = x.shape
    kernel = self.param('kernel', self.kernel_init, (c, h * w, h * w))
    flat = x.astype(self.dtype).reshape(b, h * w, c)
    out = jnp.einsum('bnc,cnm->bmc', flat, kernel.astype(self.dtype))
    return out.reshape(b, h, w, c)
