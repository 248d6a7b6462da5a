"""Context encoders: Pathak et al. 2016, arXiv:1604.07379.

Generators are called `(observed, mask, train=...)` and return float32
`[B, P, P, C]` in [-1, 1]: the whole image or, when smaller than the input, the
block around the hole. They do not look at `mask`: as published, the network is
told of the hole only by its fill. Discriminators are called `(block, mask,
train=...)`, and do not look at `mask` either; they return scores `[B]`, higher
for "real". Collections: `params` and `batch_stats`.

Convolutions in front of a norm have no bias: it would have no effect. Nor has
any other in Pathak's networks: train.lua sets every convolution's bias to zero
at each evaluation, so that theirs never took part in training either.
"""

from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from inpaintax.models import blocks, resampling

_INIT = nn.initializers.normal(0.02)


def _scale_init(
  key: jax.Array, shape: Sequence[int], dtype: jnp.dtype = jnp.float32
) -> jax.Array:
  return 1 + 0.02 * jax.random.normal(key, shape, dtype)


class _Norm(nn.Module):
  """Batch norm as in Torch: momentum 0.9 (Torch's 0.1), scale N(1, 0.02)."""

  axis_name: str | None
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    return nn.BatchNorm(
      not train,
      momentum=0.9,
      axis_name=self.axis_name,
      dtype=self.dtype,
      scale_init=_scale_init,
      name='norm',
    )(x)


class ContextGenerator(nn.Module):
  """Encoder, bottleneck, decoder. Source: the authors' train.lua.

  Published settings (input side, widths, parameters):
    centre 128 -> 64: (64, 64, 128, 256, 512), (512, 256, 128, 64), 71,124,544.
    random 128 -> 128: same, (512, 256, 128, 64, 64), 71,190,208.
    random 64 -> 64: (64, 128, 256, 512), (512, 256, 128, 64), 71,058,880.

  Input float `[B, S, S, C]` in [-1, 1] with S = 4 * 2**len(encoder_widths).

  Attributes:
    encoder_widths: channels after each stride-2 convolution.
    decoder_widths: channels of the decoder's maps, of sides 4, 8, 16, ...
    bottleneck: 'conv' as in the code (a 4x4 valid convolution), or
      'channelwise' as in the paper (channel-wise dense, then 1x1 convolution;
      the decoder then starts from that map, without its first layer).
    bottleneck_width: channels of the 'conv' bottleneck.
    channels: of the output image.
    axis_name: pmapped axis that shares batch statistics, or None under jit.
    dtype: type of the computation; parameters stay float32.
  """

  encoder_widths: Sequence[int] = (64, 64, 128, 256, 512)
  decoder_widths: Sequence[int] = (512, 256, 128, 64)
  bottleneck: str = 'conv'
  bottleneck_width: int = 4000
  channels: int = 3
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, observed: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    del mask
    chex.assert_rank(observed, 4)
    chex.assert_type(observed, float)
    side = 4 * 2 ** len(self.encoder_widths)
    if observed.shape[1:3] != (side, side):
      raise ValueError(
        f'this generator takes images of {side}x{side}, got'
        f' {observed.shape[1]}x{observed.shape[2]}.'
      )
    norm = lambda name: _Norm(self.axis_name, self.dtype, name=name)
    x = observed.astype(self.dtype)
    for i, width in enumerate(self.encoder_widths):
      x = resampling.DownConv(width, _INIT, self.dtype, name=f'down{i}')(x)
      if i:  # The layer that sees raw pixels is not normalised.
        x = norm(f'down{i}_norm')(x, train=train)
      x = nn.leaky_relu(x, 0.2)
    x = self._bottleneck(x, norm, train)
    last = len(self.decoder_widths) - 1
    for i, width in enumerate((*self.decoder_widths[1:], self.channels)):
      name = 'output' if i == last else f'up{i}'
      x = resampling.UpConv(width, _INIT, self.dtype, name=name)(x)
      if i < last:
        x = nn.relu(norm(f'{name}_norm')(x, train=train))
    return jnp.tanh(x.astype(jnp.float32))

  def _bottleneck(
    self, x: jax.Array, norm: Callable[[str], _Norm], train: bool
  ) -> jax.Array:
    dense = lambda width, name: nn.Dense(
      width, use_bias=False, kernel_init=_INIT, dtype=self.dtype, name=name
    )
    width = self.decoder_widths[0]
    if self.bottleneck == 'channelwise':
      x = blocks.ChannelwiseDense(_INIT, self.dtype, name='channelwise')(x)
      x = dense(width, 'mix')(x)
    elif self.bottleneck == 'conv':
      # Both convolutions cover their whole map: they are dense layers.
      x = dense(self.bottleneck_width, 'code')(x.reshape(len(x), 1, 1, -1))
      x = nn.leaky_relu(norm('code_norm')(x, train=train), 0.2)
      x = dense(16 * width, 'spread')(x).reshape(len(x), 4, 4, width)
    else:
      raise ValueError(
        f"bottleneck is 'conv' or 'channelwise', got {self.bottleneck!r}."
      )
    return nn.relu(norm('bottleneck_norm')(x, train=train))


class ContextDiscriminator(nn.Module):
  """Scores a block. Source: the authors' train.lua, netD.

  Published settings: centre 64 and random 64 (64, 128, 256, 512), 2,765,568
  parameters; random 128 (64, 64, 128, 256, 512), 2,831,232.

  Input float `[B, S, S, C]` in [-1, 1]; S divides by 2**len(widths). Output
  `[B]`, float32.

  Attributes:
    widths: channels after each stride-2 convolution.
    axis_name: pmapped axis that shares batch statistics, or None under jit.
    dtype: type of the computation; parameters stay float32.
  """

  widths: Sequence[int] = (64, 128, 256, 512)
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, block: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    del mask
    blocks.check_sides(block, 2 ** len(self.widths))
    x = block.astype(self.dtype)
    for i, width in enumerate(self.widths):
      x = resampling.DownConv(width, _INIT, self.dtype, name=f'down{i}')(x)
      if i:
        norm = _Norm(self.axis_name, self.dtype, name=f'down{i}_norm')
        x = norm(x, train=train)
      x = nn.leaky_relu(x, 0.2)
    x = nn.Dense(
      1,
      use_bias=False,
      kernel_init=_INIT,
      dtype=self.dtype,
      name='logit',
    )(x.reshape(len(x), -1))
    return x[:, 0].astype(jnp.float32)
