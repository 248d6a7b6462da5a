"""Free-form completion in two stages: Yu et al. 2019, arXiv:1806.03589.

The call and the collections are those of `inpaintax.models.context_encoder`.
The first stage fills the hole, the second fills it again from what the first
has made of it: one half of it by dilated convolutions, the other by contextual
attention, which takes over patches of what is known.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from inpaintax.models import (
  attention,
  blocks,
  convolution,
  hole_convs,
  resampling,
)

_RATE = 4  # Of the sides to the smallest map's.


class TwoStageGenerator(nn.Module):
  """Gated convolutions, no norm, attention in the second stage.

  Input float `[B, H, W, C]` in [-1, 1], H and W multiples of 8, and a mask.
  Output in training two images, float32 `[B, H, W, C]` in [-1, 1], of the first
  and of the second stage, each of which has its share in the reconstruction
  loss; else the second alone.

  Departs from the authors' code: no channel of ones, by which it tells the
  border's zeros from known ones: the mask does; attention as in
  `attention.attend`.

  Attributes:
    width: channels of the first map behind its gate; the code's 48 are 24 and
      24 gates.
    dilations: of the 3x3 convolutions at a quarter of the sides.
    channels: of the output image.
    axis_name: of no effect, there being no statistics; all models have it.
    dtype: type of the computation; parameters stay float32.
  """

  width: int = 24
  dilations: Sequence[int] = (2, 4, 8, 16)
  channels: int = 3
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, observed: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array | tuple[jax.Array, jax.Array]:
    blocks.check_sides(observed, 2 * _RATE)
    told = blocks.told(observed, mask).astype(self.dtype)
    missing = told[..., -1:]
    x = self._encode(told, 'coarse', narrow=False)
    first = self._decode(self._dilate(x, 'coarse'), 'coarse')
    known = observed.astype(jnp.float32) * (1 - missing)
    pasted = blocks.told(known + first * missing, missing).astype(self.dtype)
    x = self._encode(pasted, 'fine', narrow=True)
    y = self._encode(pasted, 'attention', narrow=True)
    hole = nn.max_pool(missing, (_RATE, _RATE), (_RATE, _RATE))
    y = attention.attend(y, y, hole)
    for i in (1, 2):
      y = self._conv(4 * self.width, f'attention_after{i}')(y)
    both = jnp.concatenate([self._dilate(x, 'fine'), y], -1)
    second = self._decode(both, 'fine')
    return (first, second) if train else second

  def _conv(
    self, width: int, name: str, side: int = 3, **options: Any
  ) -> hole_convs.GatedConv:
    return hole_convs.GatedConv(
      width, side, **options, dtype=self.dtype, name=name
    )

  def _encode(self, x: jax.Array, stage: str, *, narrow: bool) -> jax.Array:
    """To a quarter of the sides; the second stage begins narrower."""
    w = self.width
    half = w if narrow else 2 * w
    x = self._conv(w, f'{stage}1', side=5)(x)
    x = self._conv(half, f'{stage}2', stride=2)(x)
    x = self._conv(2 * w, f'{stage}3')(x)
    x = self._conv(2 * half, f'{stage}4', stride=2)(x)
    for i in (5, 6):
      x = self._conv(4 * w, f'{stage}{i}')(x)
    return x

  def _dilate(self, x: jax.Array, stage: str) -> jax.Array:
    for dilation in self.dilations:
      name = f'{stage}_dilated{dilation}'
      x = self._conv(4 * self.width, name, dilation=dilation)(x)
    return x

  def _decode(self, x: jax.Array, stage: str) -> jax.Array:
    """Back to full size, by values repeated 2x2: no mesh."""
    w = self.width
    for i in (1, 2):
      x = self._conv(4 * w, f'{stage}_out{i}')(x)
    for i, widths in ((3, (2 * w, 2 * w)), (5, (w, w // 2))):
      for j, width in enumerate(widths, i):
        x = self._conv(width, f'{stage}_out{j}', enlarge=j == i)(x)
    x = convolution.Conv(
      self.channels, (3, 3), dtype=self.dtype, name=f'{stage}_out'
    )(x)
    return jnp.tanh(x.astype(jnp.float32))


class PatchDiscriminator(nn.Module):
  """Scores every neighbourhood of an image: SN-PatchGAN.

  Input float `[B, H, W, C]` in [-1, 1] and a mask, H and W multiples of
  2**len(widths); output `[B, N]`, float32, the scores of N places. Every
  layer's largest singular value is held at 1. Published setting: the defaults,
  for 256 pixels. The maps are sown as `features`.

  Attributes:
    widths: channels after each 5x5 convolution of stride 2.
    axis_name: of no effect, there being no statistics; all models have it.
    dtype: type of the computation; parameters stay float32.

  Source: Yu et al. 2019, arXiv:1806.03589, sec. 3.3. Its scores are all
  channels of the last map, here one number for each place.
  """

  widths: Sequence[int] = (64, 128, 256, 256, 256, 256)
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    blocks.check_sides(image, 2 ** len(self.widths))
    x = blocks.told(image, mask).astype(self.dtype)
    for i, width in enumerate(self.widths):
      layer = resampling.WideDownConv(width, dtype=self.dtype, name=f'down{i}')
      x = nn.SpectralNorm(layer, name=f'down{i}_norm')(x, update_stats=train)
      x = nn.leaky_relu(x, 0.2)
      self.sow('intermediates', 'features', x)
    logit = nn.Dense(1, dtype=self.dtype, name='logit')
    x = nn.SpectralNorm(logit, name='logit_norm')(x, update_stats=train)
    return x.reshape(len(x), -1).astype(jnp.float32)
