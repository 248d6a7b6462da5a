"""Layers that more than one model uses.

Contract: feature maps are float `[B, H, W, C]`; parameters are float32
whatever type a layer computes in.
"""

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

Initializer = nn.initializers.Initializer


def check_sides(x: jax.Array, factor: int) -> None:
  """Refuses images that a network cannot halve often enough.

  Args:
    x: float `[B, H, W, C]`.
    factor: what H and W must be multiples of.

  Raises:
    ValueError: they are not.
    AssertionError: `x` has another rank, or is of integers, as 0..255 are.
  """
  chex.assert_rank(x, 4)
  chex.assert_type(x, float)
  if x.shape[1] % factor or x.shape[2] % factor:
    raise ValueError(
      f'sides must be multiples of {factor}, got {x.shape[1:3]}.'
    )


def told(observed: jax.Array, mask: jax.Array | None) -> jax.Array:
  """The image with the mask as one more channel.

  Args:
    observed: float `[B, H, W, C]`.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B, H, W, C + 1]`.

  Raises:
    ValueError: there is no mask.
    AssertionError: a shape or type differs from the above.
  """
  if mask is None:
    raise ValueError('this network must be told of the hole: give a mask.')
  chex.assert_rank([observed, mask], 4)
  chex.assert_shape(mask, (*observed.shape[:3], 1))
  chex.assert_type([observed, mask], float)
  return jnp.concatenate([observed, mask.astype(observed.dtype)], axis=-1)


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
  one = lambda x, at: jax.lax.dynamic_slice(
    x, (*at, jnp.zeros_like(at[0])), size
  )
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
    x, block, (*at, jnp.zeros_like(at[0]))
  )
  return jax.vmap(one)(x, block, corners)


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
