"""Stacked convolutional denoising auto-encoders, for blind inpainting.

A unit of `ssda.StackedAutoencoder` knows one place of one patch: what a letter
looks like must be learnt anew for each. Here all places share their weights, as
in Masci et al. 2011, "Stacked convolutional auto-encoders for hierarchical
feature extraction", and higher layers see further, at half the resolution each.

What is written over a photograph has one colour, and a photograph has none that
stays the same over many pixels. A sum of pixels times weights is bad at telling
0 from 1 grey level beside edges of 200: the first layer is given that.
"""

from collections.abc import Sequence

import chex
import jax
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.models import convolution, ssda
from inpaintax.models.pull_push import pull_push

_INIT = nn.initializers.he_uniform()
# Half the variance, after a sum of two.
_EVEN = 0.5**0.5
# Unlike every code, but finite: gradients stay so.
_FAR = 1e6
# Rows down and columns right to a pixel's neighbours, and grey levels of 0..255
# within which both count as equal.
_NEIGHBOURS = (
  (0, 1, 1),
  (1, 0, 1),
  (1, 1, 1),
  (1, -1, 1),
  (0, 2, 1),
  (2, 0, 1),
  (0, 1, 8),
  (1, 0, 8),
)


class ConvolutionalAutoencoder(ssda.StackedAutoencoder):
  """Denoises grey patches, far larger ones than its first units see.

  Input and output as those of `StackedAutoencoder`, whose attributes it has. A
  layer is two 3x3 convolutions each way. The first layer's sees cells of pixels
  and, for each pixel, how like it eight others near it are,
  `exp(-(difference / scale)**2)`. Its units have gates, so that what is no
  photograph need not enter: Yu et al. 2019, "Free-form image inpainting with
  gated convolution". Every other layer halves the resolution by its stride on
  the way up and doubles it on the way down (1x1 convolution, pixels to space).
  There what it predicts is added to what is seen below, so that detail need not
  pass through the layers above: a short cut that Masci et al., who pool, do not
  have; as in Ronneberger et al. 2015, "U-Net". Hidden units of layer k, counted
  from 0, are `[B, cells / 2**k, cells / 2**k, units]`; weights begin as suits
  rectified ones.

  With `gated`, a pixel whose gate opens becomes what lies around it
  (`pull_push` of the others), and a change of that, which two further
  convolutions predict from the filled image. So the units that find damage need
  not know what belongs there.

  Attributes:
    hidden: units of each encoding layer, at every place.
    cell: side of a cell, pixels; 2**(K-1) times it divides `side`.

  Raises:
    ValueError: an activation is not known, or cells do not fit.
  """

  side: int = 16
  hidden: Sequence[int] = (32, 64)
  cell: int = 2

  def setup(self) -> None:
    largest = self.cell * 2 ** (len(self.hidden) - 1)
    if self.side % largest:
      raise ValueError(
        f'cells of {self.cell} pixels, doubled by each layer to {largest}, do'
        f' not fit {self.side} pixels.'
      )
    super().setup()

  def filters(self, params: chex.ArrayTree) -> jax.Array:
    # The first convolution is of gates. Of the second: rows and columns of
    # cells, then of pixels, what is seen of each (first its code), units.
    kernel = jnp.asarray(params['encoders_0']['Conv_1']['kernel'])
    rows, columns, _, units = kernel.shape
    shape = (rows, columns, self.cell, self.cell, -1, units)
    pixels = kernel.reshape(shape)[..., 0, :]
    return pixels.transpose(0, 2, 1, 3, 4).reshape(-1, units)

  def _encoder(self, layer: int) -> nn.Module:
    block = _Encoder if layer else _Entrance
    return block(self.hidden[layer], self.activation, self.dtype)

  def _decoder(self, layer: int) -> nn.Module:
    width = self.hidden[layer]
    if layer:
      below = self.hidden[layer - 1]
      return _Decoder(width, below, self.activation, self.dtype)
    block = _GatedExit if self.gated else _Exit
    return block(width, self.cell, self.activation, self.dtype)

  def _join(self, output: jax.Array, below: jax.Array) -> jax.Array:
    return (output + below) * _EVEN

  def _read(self, code: jax.Array) -> jax.Array:
    """`[B, side**2]` as `[B, cells, cells, 9 cell**2]`: with likenesses."""
    square = self._square(code)
    level = self.gain / 127.5
    alike = [
      _likeness(square, down, right, levels * level)
      for down, right, levels in _NEIGHBOURS
    ]
    return _to_cells(jnp.concatenate([square, *alike], axis=-1), self.cell)

  def _write(self, output: jax.Array) -> jax.Array:
    """`[B, side, side, 1]` as the code of the part that is predicted."""
    return self.central(output.reshape(-1, self.side**2))

  def _gates(
    self, hidden: jax.Array, below: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    predicted, gate = self.decoders[0](hidden, self._square(below))
    return self._write(predicted), self._write(gate)

  def _turned(self, units: jax.Array) -> jax.Array:
    return units

  def _square(self, code: jax.Array) -> jax.Array:
    return code.reshape(-1, self.side, self.side, 1)


class _Entrance(nn.Module):
  """Two convolutions, each with gates: what is no photograph stays outside."""

  width: int
  activation: str
  dtype: jax.typing.DTypeLike

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    for act in (ssda.ACTIVATIONS[self.activation], lambda x: x):
      gate = nn.sigmoid(_conv(self.width, dtype=self.dtype)(x))
      # Half open at first, which leaves the scale as it was.
      x = 2 * gate * act(_conv(self.width, dtype=self.dtype)(x))
    return x


class _Encoder(nn.Module):
  """Two convolutions, the first with a stride; what the second gives."""

  width: int
  activation: str
  dtype: jax.typing.DTypeLike

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    enter = _conv(self.width, dtype=self.dtype, stride=2)
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
  cell: int
  activation: str
  dtype: jax.typing.DTypeLike

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    enter = _conv(self.width, dtype=self.dtype)
    x = ssda.ACTIVATIONS[self.activation](enter(x))
    return _to_space(_small(self.cell**2, self.dtype)(x), self.cell)


class _GatedExit(nn.Module):
  """Gates; behind them what lies around, and what is to be changed about it.

  How letters are filled so follows from which pixels are none, and is learnt
  with them.
  """

  width: int
  cell: int
  activation: str
  dtype: jax.typing.DTypeLike

  @nn.compact
  def __call__(
    self, x: jax.Array, seen: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    act = ssda.ACTIVATIONS[self.activation]
    area = self.cell**2
    units = act(_conv(self.width, dtype=self.dtype)(x))
    logits = _to_space(_small(area, self.dtype)(units), self.cell)
    gate = nn.sigmoid(logits.astype(seen.dtype))
    around = pull_push(seen, 1 - gate)
    filled = seen + gate * (around - seen)
    x = jnp.concatenate(
      [units, _to_cells(filled, self.cell), _to_cells(gate, self.cell)], axis=-1
    )
    for _ in range(2):
      x = act(_conv(self.width, dtype=self.dtype)(x))
    change = _to_space(_small(area, self.dtype)(x), self.cell)
    return around + change, gate


def _likeness(
  square: jax.Array, down: int, right: int, scale: float
) -> jax.Array:
  """How equal each pixel and its neighbour are, from 0 to 1.

  Args:
    square: `[B, side, side, 1]`.
    down: rows to the neighbour.
    right: columns to it.
    scale: a difference that counts as small.

  Returns:
    Same shape; 0 where there is no neighbour.
  """
  rows, columns = square.shape[1:3]
  edge = max(abs(down), abs(right))
  margin = [(0, 0), (edge, edge), (edge, edge), (0, 0)]
  padded = jnp.pad(square, margin, constant_values=_FAR)
  other = padded[
    :, edge + down : edge + down + rows, edge + right : edge + right + columns
  ]
  return jnp.exp(-(((other - square) / scale) ** 2))


def _conv(
  width: int,
  *,
  dtype: jax.typing.DTypeLike,
  kernel: int = 3,
  stride: int = 1,
  init: nn.initializers.Initializer = _INIT,
) -> convolution.Conv:
  """A convolution that keeps `ceil(side / stride)` places."""
  return convolution.Conv(
    width, (kernel, kernel), (stride, stride), kernel_init=init, dtype=dtype
  )


def _small(width: int, dtype: jax.typing.DTypeLike) -> convolution.Conv:
  """One that says little at first: a gate that is shut for all never opens."""
  init = nn.initializers.variance_scaling(0.05, 'fan_avg', 'uniform')
  return _conv(width, dtype=dtype, init=init)


def _to_cells(pixels: jax.Array, side: int) -> jax.Array:
  """The inverse of `_to_space`."""
  batch, height, width, _ = pixels.shape
  split = pixels.reshape(batch, height // side, side, width // side, side, -1)
  return split.transpose(0, 1, 3, 2, 4, 5).reshape(
    batch, height // side, width // side, -1
  )


def _to_space(cells: jax.Array, side: int) -> jax.Array:
  """`[B, H, W, side**2 C]` as `[B, side H, side W, C]`, a cell row by row."""
  batch, height, width, _ = cells.shape
  split = cells.reshape(batch, height, width, side, side, -1)
  return split.transpose(0, 1, 3, 2, 4, 5).reshape(
    batch, side * height, side * width, -1
  )
