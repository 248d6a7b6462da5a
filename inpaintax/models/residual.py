"""Networks for small images on small machines: ours, not a paper's.

The call and the collections are those of `inpaintax.models.context_encoder`.
What differs, and why, is measured in docs/results/context_encoder.md:

- The generator has no dense code, whose millions of weights learn the training
  images by heart. Dilated residual convolutions and a channel-wise dense layer
  carry what is known across the hole.
- The encoder's maps join the decoder's, which has no transposed convolutions
  but noise to make texture of: no mesh.
- The discriminator bounds its weights instead of normalising batches, so that
  it can neither run away from the generator nor stop teaching it.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from inpaintax.models import blocks, convolution, resampling

_INIT = nn.initializers.he_normal()
_PAD = ((1, 1), (1, 1))  # Of 4x4 convolutions: symmetric, as in Torch.
_FINEST = 16  # Channels at full resolution, where each costs most.
_GRAIN = 4  # Channels of noise at each scale of the decoder.


def _norm(
  axis_name: str | None, dtype: jnp.dtype, train: bool
) -> Callable[..., nn.BatchNorm]:
  """Batch norm, to be called with a name."""
  return functools.partial(
    nn.BatchNorm, not train, momentum=0.9, axis_name=axis_name, dtype=dtype
  )


class _Residual(nn.Module):
  """x + two 3x3 convolutions of it, each after batch norm and ReLU.

  Source: He et al. 2016, arXiv:1603.05027, fig. 1b; the first is dilated.
  """

  dilation: int
  axis_name: str | None
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    norm = _norm(self.axis_name, self.dtype, train)
    # Small at first: the block begins near the identity.
    small = nn.initializers.variance_scaling(0.2, 'fan_in', 'normal')
    y = x
    for i, (init, dilation) in enumerate(
      ((_INIT, self.dilation), (small, 1)), start=1
    ):
      y = norm(name=f'norm{i}')(y)
      y = convolution.Conv(
        x.shape[-1],
        (3, 3),
        kernel_dilation=dilation,
        use_bias=False,
        kernel_init=init,
        dtype=self.dtype,
        name=f'conv{i}',
      )(nn.relu(y))
    return x + y


def _seeds(observed: jax.Array) -> jax.Array:
  """uint32 `[B]` that depend on every pixel: in integers, so always alike."""
  # Whole for pixels of 8 bit, so that no rounding error decides.
  levels = jnp.round(127.5 * (observed.astype(jnp.float32) + 1))
  levels = levels.astype(jnp.int32)
  flat = levels.reshape(len(levels), -1)
  # Odd factors, so that equal pixels in other places count differently.
  factors = 2 * jnp.arange(flat.shape[1], dtype=jnp.int32) + 1
  return (flat * factors[None]).sum(1).astype(jnp.uint32)


def _noise(seeds: jax.Array, i: int, side: tuple[int, ...]) -> jax.Array:
  """float32 `[B, *side, _GRAIN]`, N(0, 1)."""
  draw = lambda seed: jax.random.normal(
    jax.random.fold_in(jax.random.key(seed), i), (*side, _GRAIN)
  )
  return jax.vmap(draw)(seeds)


class ResidualGenerator(nn.Module):
  """A context encoder of residual blocks with skip connections.

  A decoder's scale is its smaller map, each value repeated 2x2, joined by the
  encoder's map of that scale and by noise, then a 3x3 convolution (Odena et al.
  2016, doi:10.23915/distill.00003). Transposed convolutions turn a flat map
  into a pattern at their stride, and an adversarial loss makes them do so; this
  cannot. Fine texture comes from the noise, drawn from a seed that the image
  itself determines: equal images are filled equally.

  Input float `[B, S, S, C]` in [-1, 1], S any multiple of 2**len(widths) (of
  2**(len(widths) + 2), if half of it is predicted), but the one that the
  parameters were made for. Output float32 `[B, P, P, C]` in [-1, 1], the
  central block, P = S * `part`.

  Attributes:
    widths: channels after each stride-2 convolution.
    residual_blocks: at the smallest map, dilated by `dilations` in turn.
    decoder_blocks: at each of the decoder's scales, not dilated: for what
      depends on pixels close by, such as the hole's edge.
    dilations: in pixels of the smallest map.
    told: whether the mask is one more channel of the input.
    channelwise: whether a channel-wise dense layer carries what is known across
      the smallest map; without, images of any size may be filled.
    part: 1 predicts the whole image, 0.5 a central block of half its side, for
      holes in the centre only.
    channels: of the output image.
    axis_name: pmapped axis that shares batch statistics, or None under jit.
    dtype: type of the computation; parameters stay float32.
  """

  widths: Sequence[int] = (32, 64, 128)
  residual_blocks: int = 4
  decoder_blocks: int = 0
  dilations: Sequence[int] = (1, 2)
  told: bool = False
  channelwise: bool = True
  part: float = 0.5
  channels: int = 3
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, observed: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    blocks.check_sides(observed, 2 ** len(self.widths))
    norm = _norm(self.axis_name, self.dtype, train)
    x = blocks.told(observed, mask) if self.told else observed
    x = x.astype(self.dtype)
    maps = [x]  # Of the encoder: at 1, 1/2, 1/4, ... of the image's side.
    for i, width in enumerate(self.widths):
      x = resampling.DownConv(width, _INIT, self.dtype, name=f'down{i}')(x)
      if i:  # The layer that sees raw pixels is not normalised.
        x = norm(name=f'down{i}_norm')(x)
      x = nn.leaky_relu(x, 0.2)
      maps.append(x)
    x = self._central(self._around(x, train))
    seeds = _seeds(observed)
    for i in reversed(range(len(self.widths))):
      known = self._central(maps[i])
      noise = _noise(seeds, i, known.shape[1:3])
      x = resampling.ResizeConv(
        self.widths[i - 1] if i else _FINEST,
        use_bias=False,
        kernel_init=_INIT,
        dtype=self.dtype,
        name=f'up{i}',
      )(x, known, noise)
      x = nn.relu(norm(name=f'up{i}_norm')(x))
      for j in range(self.decoder_blocks):
        name = f'up{i}_residual{j}'
        x = _Residual(1, self.axis_name, self.dtype, name=name)(x, train=train)
    x = convolution.Conv(
      self.channels,
      (3, 3),
      kernel_init=nn.initializers.normal(0.02),
      dtype=self.dtype,
      name='output',
    )(x)
    return jnp.tanh(x.astype(jnp.float32))

  def _around(self, x: jax.Array, train: bool) -> jax.Array:
    """What the whole smallest map says of each of its places."""
    for i in range(self.residual_blocks):
      dilation = self.dilations[i % len(self.dilations)]
      x = _Residual(dilation, self.axis_name, self.dtype, name=f'residual{i}')(
        x, train=train
      )
    if not self.channelwise:
      norm = _norm(self.axis_name, self.dtype, train)
      return nn.relu(norm(name='around_norm')(x))
    y = blocks.ChannelwiseDense(dtype=self.dtype, name='channelwise')(x)
    y = nn.Dense(x.shape[-1], use_bias=False, dtype=self.dtype, name='mix')(y)
    norm = _norm(self.axis_name, self.dtype, train)
    return nn.relu(norm(name='around_norm')(x + y))

  def _central(self, x: jax.Array) -> jax.Array:
    height, width = (round(n * self.part) for n in x.shape[1:3])
    return blocks.center_crop(x, (height, width))


def deepens(record: dict[str, Any], other: dict[str, Any]) -> bool:
  """Whether a network is another one with more residual blocks.

  Args:
    record: of the network, see `inpaintax.models.build`.
    other: of the one with fewer.

  Returns:
    Whether it is; no network deepens itself.
  """
  ours, theirs = (dict(one['options']) for one in (record, other))
  more = [
    ours.pop(name, 0) - theirs.pop(name, 0)
    for name in ('residual_blocks', 'decoder_blocks')
  ]
  deeper = min(more) >= 0 and max(more) > 0
  return deeper and record['name'] == other['name'] and ours == theirs


def deepened(
  params: chex.ArrayTree, stats: chex.ArrayTree, *, like: chex.ArrayTree
) -> tuple[chex.ArrayTree, chex.ArrayTree]:
  """A trained generator's variables, for one of more residual blocks.

  Those that it lacks add nothing at first: both fill alike.

  Args:
    params: parameters of a `ResidualGenerator`.
    stats: its batch statistics.
    like: (parameters, batch statistics) of the other one, at its start.

  Returns:
    (parameters, batch statistics) for the other one.

  Source: Chen et al. 2016, arXiv:1511.05641, "Net2DeeperNet".
  """
  blocks = {}
  for name in like[0].keys() - params.keys():
    nothing = jax.tree.map(jnp.zeros_like, like[0][name]['conv2'])
    blocks[name] = like[0][name] | {'conv2': nothing}
  return params | blocks, like[1] | stats


class SpectralDiscriminator(nn.Module):
  """Scores a block; every layer's largest singular value is held at 1.

  Input float `[B, S, S, C]` in [-1, 1], S a multiple of 2**(len(widths) - 1).
  Output `[B]`, float32. Without batch norm: a score depends on its own image
  alone. `batch_stats` has the estimates of the singular vectors, one power
  iteration further with each training pass.

  Source: Miyato et al. 2018, arXiv:1802.05957, with one convolution a scale.

  Attributes:
    widths: channels of the first 3x3 convolution, then of each 4x4 one of
      stride 2.
    axis_name: of no effect, there being nothing to share; all models have it.
    dtype: type of the computation; parameters stay float32.
  """

  widths: Sequence[int] = (32, 64, 128, 256)
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, block: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    del mask
    blocks.check_sides(block, 2 ** (len(self.widths) - 1))
    x = block.astype(self.dtype)
    for i, width in enumerate(self.widths):
      side, stride = (4, 2) if i else (3, 1)
      conv = convolution.Conv(
        width,
        (side, side),
        stride,
        padding=_PAD,
        kernel_init=_INIT,
        dtype=self.dtype,
        name=f'conv{i}',
      )
      x = nn.SpectralNorm(conv, name=f'conv{i}_norm')(x, update_stats=train)
      x = nn.leaky_relu(x, 0.2)
    logit = nn.Dense(1, dtype=self.dtype, name='logit')
    x = nn.SpectralNorm(logit, name='logit_norm')(
      x.reshape(len(x), -1), update_stats=train
    )
    return x[:, 0].astype(jnp.float32)
