"""Convolutions that know which of their inputs are missing.

Both take the place of a plain convolution: `PartialConv` leaves missing pixels
out of its sums, `GatedConv` learns what to let through.
"""

from typing import Any

import chex
import jax
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.models import blocks, convolution, resampling

_INIT = nn.initializers.he_normal()


class PartialConv(nn.Module):
  """A convolution over known pixels alone, scaled by how many there are.

  Where a window has known pixels, the sum over them is multiplied by the number
  of pixels in the window over that of known ones; where it has none, the output
  is 0 and stays missing. Zeros that pad the border count neither as known nor
  as pixels of the window, so that without a hole this is a plain convolution at
  the border too: there the paper's code scales up.

  Called `(x, mask)` with `x` float `[B, H, W, C]` and `mask` float `[B, H, W,
  1]`, 1 = missing. Returns both after the layer: `[B, H', W', features]` and
  `[B, H', W', 1]`, H' = ceil(H / stride).

  Attributes:
    features: channels of the output.
    kernel: side of the window, odd.
    stride: between windows.
    use_bias: whether to add a bias where there is an output.
    kernel_init: initializer of the kernel.
    dtype: type of the computation; parameters stay float32.

  Source: Liu et al. 2018, arXiv:1804.07723, eq. 1 and 2.
  """

  features: int
  kernel: int = 3
  stride: int = 1
  use_bias: bool = True
  kernel_init: blocks.Initializer = _INIT
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, mask: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    check_mask(x, mask)
    known = (1 - mask).astype(self.dtype)
    window = (self.kernel, self.kernel)
    count = lambda x: nn.avg_pool(
      x, window, (self.stride, self.stride), 'SAME', count_include_pad=True
    )
    # Shares of the window: their quotient is that of the numbers.
    some, all_ = count(known), count(jnp.ones_like(known))
    seen = (some > 0).astype(self.dtype)
    scale = jnp.where(some > 0, all_ / jnp.where(some > 0, some, 1), 0)
    # Not a product alone: what is missing may be no number.
    x = jnp.where(known > 0, x.astype(self.dtype) * known, 0)
    y = scale * convolution.Conv(
      self.features,
      window,
      self.stride,
      use_bias=False,
      kernel_init=self.kernel_init,
      dtype=self.dtype,
      name='conv',
    )(x)
    if self.use_bias:
      bias = self.param('bias', nn.initializers.zeros, (self.features,))
      y = y + seen * bias.astype(self.dtype)[None, None, None]
    return y, (1 - seen).astype(mask.dtype)


class GatedConv(nn.Module):
  """A convolution and ELU whose output a second one lets through, or not.

  Called with float `[B, H, W, C]`, which has the mask among its channels if the
  gates are to know it; returns `[B, H', W', features]`.

  Attributes:
    features: channels of the output; the convolution makes twice as many.
    kernel: side of the window.
    stride: between windows.
    dilation: between the pixels of a window.
    enlarge: whether values are repeated 2x2 first; by windows of 3x3 pixels
      side by side alone.
    kernel_init: initializer of the kernel.
    dtype: type of the computation; parameters stay float32.

  Source: Yu et al. 2019, arXiv:1806.03589, eq. 3.
  """

  features: int
  kernel: int = 3
  stride: int = 1
  dilation: int = 1
  enlarge: bool = False
  kernel_init: blocks.Initializer = _INIT
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    given: dict[str, Any] = {
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
      'name': 'conv',
    }
    conv: nn.Module
    if self.enlarge:
      if (self.kernel, self.stride, self.dilation) != (3, 1, 1):
        raise ValueError('an enlarged map has windows of 3x3 side by side.')
      conv = resampling.ResizeConv(2 * self.features, **given)
    else:
      conv = convolution.Conv(
        2 * self.features,
        (self.kernel, self.kernel),
        self.stride,
        kernel_dilation=self.dilation,
        **given,
      )
    both = conv(x)
    y, gate = jnp.split(both, 2, axis=-1)
    return nn.elu(y) * nn.sigmoid(gate)


def check_mask(x: jax.Array, mask: jax.Array) -> None:
  """Refuses maps and masks that do not belong together.

  Args:
    x: float `[B, H, W, C]`.
    mask: float `[B, H, W, 1]`.

  Raises:
    AssertionError: a shape or type is another.
  """
  chex.assert_rank([x, mask], 4)
  chex.assert_shape(mask, (*x.shape[:3], 1))
  chex.assert_type([x, mask], float)
