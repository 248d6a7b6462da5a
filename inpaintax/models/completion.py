"""Globally and locally consistent completion: Iizuka et al. 2017.

doi:10.1145/3072959.3073659. The call and the collections are those of
`inpaintax.models.context_encoder`, but that both networks look at the mask: the
generator has it among its channels, the discriminator finds the hole by it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from inpaintax.models import blocks, convolution, resampling

_INIT = nn.initializers.he_normal()


class CompletionGenerator(nn.Module):
  """Fills holes of any shape in images of any size: convolutions alone.

  A quarter of the sides is the smallest map, so that what is known stays sharp;
  dilated convolutions there carry it 30 of its places, 120 pixels, to each
  side, further than the largest hole that the paper trains with.

  Input float `[B, H, W, C]` in [-1, 1], H and W multiples of 4, and a mask;
  output float32 `[B, H, W, C]` in [-1, 1]. Published setting: the defaults,
  6,069,155 parameters; 6,072,131 with the biases that batch norm cancels.

  Departs from the paper in its range: a hyperbolic tangent, for [-1, 1], where
  the paper has a sigmoid, for [0, 1].

  Attributes:
    widths: channels at full, half and quarter size.
    dilations: of the 3x3 convolutions at quarter size.
    channels: of the output image.
    axis_name: pmapped axis that shares batch statistics, or None under jit.
    dtype: type of the computation; parameters stay float32.
  """

  widths: Sequence[int] = (64, 128, 256)
  dilations: Sequence[int] = (2, 4, 8, 16)
  channels: int = 3
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, observed: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    blocks.check_sides(observed, 4)
    x = blocks.told(observed, mask).astype(self.dtype)

    def then(x: jax.Array, layer: nn.Module, name: str) -> jax.Array:
      norm = nn.BatchNorm(
        not train,
        momentum=0.9,
        axis_name=self.axis_name,
        dtype=self.dtype,
        name=f'{name}_norm',
      )
      return nn.relu(norm(layer(x)))

    def conv(
      x: jax.Array, name: str, width: int, side: int = 3, **options: Any
    ) -> jax.Array:
      layer = _conv(width, side, name=name, dtype=self.dtype, **options)
      return then(x, layer, name)

    full, half, quarter = self.widths
    x = conv(x, 'conv1', full, 5)
    x = conv(x, 'conv2', half, stride=2)
    x = conv(x, 'conv3', half)
    x = conv(x, 'conv4', quarter, stride=2)
    for i in (5, 6):
      x = conv(x, f'conv{i}', quarter)
    for dilation in self.dilations:
      x = conv(x, f'dilated{dilation}', quarter, dilation=dilation)
    for i in (11, 12):
      x = conv(x, f'conv{i}', quarter)
    for i, (up, after) in enumerate(((half, half), (full, full // 2)), 1):
      layer = resampling.UpConv(up, _INIT, self.dtype, name=f'deconv{i}')
      x = then(x, layer, f'deconv{i}')
      x = conv(x, f'conv{12 + 2 * i}', after)
    x = _conv(self.channels, 3, name='output', dtype=self.dtype, use_bias=True)(
      x
    )
    return jnp.tanh(x.astype(jnp.float32))


def _conv(
  width: int,
  side: int,
  *,
  name: str,
  dtype: jnp.dtype,
  stride: int = 1,
  dilation: int = 1,
  use_bias: bool = False,
) -> convolution.Conv:
  """Padded as in Torch: symmetric at stride 2 too."""
  edge = dilation * (side // 2)
  return convolution.Conv(
    width,
    (side, side),
    stride,
    padding=((edge, edge), (edge, edge)),
    kernel_dilation=dilation,
    use_bias=use_bias,
    kernel_init=_INIT,
    dtype=dtype,
    name=name,
  )


class GlobalLocalDiscriminator(nn.Module):
  """Scores the whole image and the hole's neighbourhood together.

  Two stacks of 5x5 convolutions of stride 2, one on the image, one on a window
  of half its side whose centre is the hole's, give a code each; one linear
  layer on both gives the score. Published setting, for 256 pixels: the
  defaults, 45,060,225 parameters; 45,063,681 with the biases that batch norm
  cancels. For 160 pixels five convolutions in both, and a window of 96.

  Input float `[B, H, W, C]` in [-1, 1] and a mask; output `[B]`, float32, above
  0 for "real". Without batch norm (`norm='spectral'`) every layer's largest
  singular value is held at 1 (Miyato et al. 2018, arXiv:1802.05957), which
  keeps a discriminator of few images from running away. The maps of all
  convolutions are sown as `features`.

  Departs from the paper in what window of a true image is judged: the one that
  the hole would have, where the paper takes any. So the two windows differ in
  what fills them and not in where they lie.

  Attributes:
    widths: channels of the convolutions on the image.
    local_widths: of those on the window.
    window: side of the window as a share of the image's shorter side.
    code: numbers that each stack ends in.
    norm: 'batch', as published, or 'spectral'.
    axis_name: pmapped axis that shares batch statistics, or None under jit.
    dtype: type of the computation; parameters stay float32.
  """

  widths: Sequence[int] = (64, 128, 256, 512, 512, 512)
  local_widths: Sequence[int] = (64, 128, 256, 512, 512)
  window: float = 0.5
  code: int = 1024
  norm: str = 'batch'
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    if self.norm not in ('batch', 'spectral'):
      raise ValueError(f"norm is 'batch' or 'spectral', got {self.norm!r}.")
    if mask is None:
      raise ValueError('this discriminator finds the hole by its mask.')
    blocks.check_sides(image, 2 ** len(self.widths))
    side = round(self.window * min(image.shape[1:3]))
    corners = blocks.block_corners(mask, (side, side))
    window = blocks.cut(image, corners, (side, side))
    codes = [
      self._code(image, 'global', self.widths, train),
      self._code(window, 'local', self.local_widths, train),
    ]
    last = nn.Dense(1, dtype=self.dtype, kernel_init=_INIT, name='logit')
    score = self._bounded(last, 'logit', train)
    return score(jnp.concatenate(codes, -1))[:, 0].astype(jnp.float32)

  def _code(
    self, x: jax.Array, part: str, widths: Sequence[int], train: bool
  ) -> jax.Array:
    x = x.astype(self.dtype)
    for i, width in enumerate(widths):
      name = f'{part}{i}'
      layer = resampling.WideDownConv(
        width, self.norm == 'spectral', _INIT, self.dtype, name=name
      )
      x = self._bounded(layer, name, train)(x)
      if self.norm == 'batch':
        x = nn.BatchNorm(
          not train,
          momentum=0.9,
          axis_name=self.axis_name,
          dtype=self.dtype,
          name=f'{name}_norm',
        )(x)
        x = nn.relu(x)
      else:
        x = nn.leaky_relu(x, 0.2)
      self.sow('intermediates', 'features', x)
    code = nn.Dense(
      self.code, kernel_init=_INIT, dtype=self.dtype, name=f'{part}_code'
    )
    x = self._bounded(code, f'{part}_code', train)(x.reshape(len(x), -1))
    return nn.relu(x) if self.norm == 'batch' else nn.leaky_relu(x, 0.2)

  def _bounded(
    self, layer: nn.Module, name: str, train: bool
  ) -> Callable[[jax.Array], jax.Array]:
    if self.norm == 'batch':
      return layer
    bound = nn.SpectralNorm(layer, name=f'{name}_norm')
    return lambda x: bound(x, update_stats=train)
