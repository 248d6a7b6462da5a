"""Stacked convolutional denoising auto-encoders, for blind inpainting.

A unit of `ssda.StackedAutoencoder` knows one place of one patch: what a letter
looks like must be learnt anew for each. Here all places share their weights, as
in Masci et al. 2011, "Stacked convolutional auto-encoders for hierarchical
feature extraction", and higher layers see further, at half the resolution each.
"""

import jax
from flax import linen as nn

from inpaintax.models import ssda

_INIT = nn.initializers.he_uniform()
# Half the variance, after a sum of two.
_EVEN = 0.5**0.5


class ConvolutionalAutoencoder(ssda.StackedAutoencoder):
  """Denoises grey patches, far larger ones than its first units see.

  Input and output as those of `StackedAutoencoder`, whose attributes it has. A
  layer is two 3x3 convolutions each way; the first layer's sees cells of
  pixels, every other halves the resolution by its stride on the way up and
  doubles it on the way down (1x1 convolution, pixels to space). There what it
  predicts is added to what is seen below, so that detail need not pass through
  the layers above: a short cut that Masci et al., who pool, do not have; as in
  Ronneberger et al. 2015, "U-Net". Hidden units of layer k, counted from 0, are
  `[B, cells / 2**k, cells / 2**k, units]`; weights begin as suits rectified
  ones.

  Attributes:
    hidden: units of each encoding layer, at every place.
    cell: side of a cell, pixels; 2**(K-1) times it divides `side`, and it
      divides the part that is not predicted on each side.

  Raises:
    ValueError: an activation is not known, or cells do not fit.
  """

  cell: int = 2

  def setup(self) -> None:
    edge = (self.side - self._output_side()) // 2
    largest = self.cell * 2 ** (len(self.hidden) - 1)
    if self.side % largest or edge % self.cell:
      raise ValueError(
        f'cells of {self.cell} pixels, doubled by each layer to {largest}, do'
        f' not fit {self.side} pixels and {edge} around what is predicted.'
      )
    super().setup()

  def _encoder(self, layer: int) -> nn.Module:
    width = self.hidden[layer]
    return _Encoder(width, 2 if layer else 1, self.activation, self.dtype)

  def _decoder(self, layer: int) -> nn.Module:
    width = self.hidden[layer]
    if layer:
      below = self.hidden[layer - 1]
      return _Decoder(width, below, self.activation, self.dtype)
    outputs = self.cell**2 * (2 if self.gated else 1)
    return _Exit(width, outputs, self.activation, self.dtype)

  def _join(self, output: jax.Array, below: jax.Array) -> jax.Array:
    return (output + below) * _EVEN

  def _read(self, code: jax.Array) -> jax.Array:
    """`[B, side**2]` as `[B, cells, cells, cell**2]`."""
    count = self.side // self.cell
    split = code.reshape(len(code), count, self.cell, count, self.cell)
    return split.transpose(0, 1, 3, 2, 4).reshape(len(code), count, count, -1)

  def _write(self, cells: jax.Array) -> jax.Array:
    """The inverse, of the part that is predicted."""
    edge = (self.side - self._output_side()) // 2 // self.cell
    part = slice(edge, cells.shape[1] - edge)
    pixels = _to_space(cells[:, part, part], self.cell)
    return pixels.reshape(len(pixels), -1)


class _Encoder(nn.Module):
  """Two convolutions, the first with a stride; what the second gives."""

  width: int
  stride: int
  activation: str
  dtype: jax.typing.DTypeLike

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    enter = _conv(self.width, dtype=self.dtype, stride=self.stride)
    x = ssda.ACTIVATIONS[self.activation](enter(x))
    return _conv(self.width, dtype=self.dtype)(x)


class _Decoder(nn.Module):
  """A convolution, and one that doubles the resolution."""

  width: int
  below: int
  activation: str
  dtype: jax.typing.DTypeLike

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    enter = _conv(self.width, dtype=self.dtype)
    x = ssda.ACTIVATIONS[self.activation](enter(x))
    return _to_space(_conv(4 * self.below, dtype=self.dtype, kernel=1)(x), 2)


class _Exit(nn.Module):
  """Two convolutions, the second to pixels."""

  width: int
  outputs: int
  activation: str
  dtype: jax.typing.DTypeLike

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    enter = _conv(self.width, dtype=self.dtype)
    x = ssda.ACTIVATIONS[self.activation](enter(x))
    # Small at first: a gate that is shut for every input never opens.
    small = nn.initializers.variance_scaling(0.05, 'fan_avg', 'uniform')
    return _conv(self.outputs, dtype=self.dtype, init=small)(x)


def _conv(
  width: int,
  *,
  dtype: jax.typing.DTypeLike,
  kernel: int = 3,
  stride: int = 1,
  init: nn.initializers.Initializer = _INIT,
) -> nn.Conv:
  """A convolution that keeps `ceil(side / stride)` places."""
  return nn.Conv(
    width, (kernel, kernel), (stride, stride), kernel_init=init, dtype=dtype
  )


def _to_space(cells: jax.Array, side: int) -> jax.Array:
  """`[B, H, W, side**2 C]` as `[B, side H, side W, C]`, a cell row by row."""
  batch, height, width, _ = cells.shape
  split = cells.reshape(batch, height, width, side, side, -1)
  return split.transpose(0, 1, 3, 2, 4, 5).reshape(
    batch, side * height, side * width, -1
  )
