"""The Keras form of the context encoder, as in the slides this project follows.

256-pixel images, a 64-pixel block anywhere in them. Convolution, activation,
norm: the reverse of Pathak's order, hence convolutions with a bias. Batch norm
as in Keras: momentum 0.8, epsilon 1e-3. Same calls and collections as
`models.context_encoder`.

Given on the slides: sides, the first two layers of the encoder, the decoder up
to 16x16, the first two layers of the discriminator. INFERRED, from these shapes
and from Keras-GAN's context_encoder.py: the rest of the encoder, the code's 1x1
kernel, the last two doublings with their widths, the discriminator's third
layer. Keras-GAN's dropout (0.5 on the code) is left out: a step makes no random
choice of its own.
"""

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from inpaintax.models import blocks, convolution, resampling

_INIT = nn.initializers.glorot_uniform()  # Keras' default.


class _ConvActNorm(nn.Module):
  """3x3 convolution, activation, batch norm."""

  width: int
  stride: int
  slope: float  # Of the activation below 0.
  axis_name: str | None
  dtype: jnp.dtype
  enlarge: bool = False  # First, as Keras' UpSampling2D does.

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    given: dict[str, Any] = {
      'kernel_init': _INIT,
      'dtype': self.dtype,
      'name': 'conv',
    }
    if self.enlarge:
      x = resampling.ResizeConv(self.width, **given)(x)
    else:
      x = convolution.Conv(self.width, (3, 3), self.stride, **given)(x)
    return nn.BatchNorm(
      not train,
      momentum=0.8,
      epsilon=1e-3,
      axis_name=self.axis_name,
      dtype=self.dtype,
      name='norm',
    )(nn.leaky_relu(x, self.slope))


class DeckGenerator(nn.Module):
  """Whole image in, the missing block out: 2,573,187 parameters.

  Input float `[B, 256, 256, 3]` in [-1, 1], any multiple of 64; output
  `[B, 64, 64, 3]`, a quarter of the input's sides, in [-1, 1].

  Attributes:
    axis_name: pmapped axis that shares batch statistics, or None under jit.
    dtype: type of the computation; parameters stay float32.
  """

  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, observed: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    del mask
    blocks.check_sides(observed, 64)
    layer = functools.partial(
      _ConvActNorm, axis_name=self.axis_name, dtype=self.dtype
    )
    x = observed.astype(self.dtype)
    for i, width in enumerate((64, 64, 128, 256, 512)):
      x = layer(width, 2, 0.2, name=f'down{i}')(x, train=train)
    x = convolution.Conv(
      512, (1, 1), 2, kernel_init=_INIT, dtype=self.dtype, name='code'
    )(x)
    x = nn.leaky_relu(x, 0.2)
    for i, width in enumerate((128, 64, 64, 32)):
      x = layer(width, 1, 0.0, enlarge=True, name=f'up{i}')(x, train=train)
    x = convolution.Conv(
      3, (3, 3), kernel_init=_INIT, dtype=self.dtype, name='output'
    )(x)
    return jnp.tanh(x.astype(jnp.float32))


class DeckDiscriminator(nn.Module):
  """Scores a 64-pixel block: 437,249 parameters.

  Input float `[B, 64, 64, 3]` in [-1, 1]; output `[B]`, logits.

  Attributes:
    axis_name: pmapped axis that shares batch statistics, or None under jit.
    dtype: type of the computation; parameters stay float32.
  """

  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, block: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    del mask
    chex.assert_rank(block, 4)
    chex.assert_type(block, float)
    layer = functools.partial(
      _ConvActNorm, axis_name=self.axis_name, dtype=self.dtype
    )
    x = block.astype(self.dtype)
    for i, (width, stride) in enumerate(((64, 2), (128, 2), (256, 1))):
      x = layer(width, stride, 0.2, name=f'down{i}')(x, train=train)
    x = nn.Dense(1, kernel_init=_INIT, dtype=self.dtype, name='logit')(
      x.reshape(len(x), -1)
    )
    return x[:, 0].astype(jnp.float32)
