"""Stacked sparse denoising auto-encoders: Xie, Xu and Chen 2012.

"Image denoising and inpainting with deep neural networks", NIPS 2012. One
network of K encoding and K decoding layers on patches; layer k of each, taken
together, is the k-th denoising auto-encoder, trained on what the k-1 below make
of noisy and clean patches. All are trained together in the end.

What the paper leaves open is explicit here: how pixels become numbers
(`keep_mean`, `gain`, `center`, `limit`) and what the last layer is (`output`).
"""

from collections.abc import Sequence

import chex
import jax
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.models import memory, products

ACTIVATIONS = {
  'sigmoid': nn.sigmoid,
  'tanh': nn.tanh,
  'relu': nn.relu,
  'linear': lambda x: x,
}


class StackedAutoencoder(nn.Module):
  """Denoises grey patches.

  Input float `[B, side, side, 1]`, pixels in [-1, 1] with noise on them;
  output float32 `[B, output_side, output_side, 1]`, the central part, clean.

  A patch becomes the code `center + gain * (pixels - mean)`, with `mean` that
  of the noisy patch, or 0 with `keep_mean`. The clean patch is coded with the
  same mean. With a sigmoid output codes must lie in (0, 1): center 0.5, gain
  0.4 for the range [0.1, 0.9].

  Parameters of K = 2 with 5 times the patch: 246,784 for 8x8, 880,396 for
  11x11, 1,246,464 for 12x12.

  Attributes:
    side: of the patches, pixels.
    hidden: units of each encoding layer; K = len(hidden). In the paper K = 2
      and each is five times the number of pixels.
    output_side: of what is predicted; None: `side`.
    activation: of hidden units; 'sigmoid' in the paper.
    output: unit of the last layer; 'sigmoid' in the paper.
    keep_mean: whether codes keep the patch's mean.
    gain: units of code per unit of pixel.
    center: the code of 0, or of the patch's mean.
    limit: codes are clipped to `center` plus or minus this; None: not at all.
    gated: whether the last layer also has a gate for each pixel, a sigmoid: the
      output is what it predicts where the gate is open, what is seen where it
      is shut. Not in the paper, whose network must learn to pass on what it
      should leave alone.
    axis_name: of no effect, there being no statistics; all models have it.
    dtype: type of the computation; parameters stay float32. In 16 bit on a CPU
      there are no forward-mode derivatives but of gradients.

  Raises:
    ValueError: an activation is not known.
  """

  side: int = 13
  hidden: Sequence[int] = (845, 845)
  output_side: int | None = None
  activation: str = 'sigmoid'
  output: str = 'linear'
  keep_mean: bool = True
  gain: float = 2.5
  center: float = 0.0
  limit: float | None = None
  gated: bool = False
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  def setup(self) -> None:
    for name in (self.activation, self.output):
      if name not in ACTIVATIONS:
        raise ValueError(
          f'unknown activation {name!r}, known: {", ".join(ACTIVATIONS)}.'
        )
    layers = range(len(self.hidden))
    self.encoders = [self._encoder(layer) for layer in layers]
    self.decoders = [self._decoder(layer) for layer in layers]

  def __call__(
    self, observed: jax.Array, mask: jax.Array | None = None, *, train: bool
  ) -> jax.Array:
    """The clean patches."""
    del mask, train
    code, mean = self.code(observed)
    return self.pixels(self.denoise(code), mean)

  def denoise(self, code: jax.Array) -> jax.Array:
    """From the code of noisy patches to that of clean ones.

    Args:
      code: `[B, side**2]`.

    Returns:
      `[B, output_side**2]`.
    """
    units = [code]
    for layer in range(len(self.hidden)):
      units.append(self._encode_one(units[-1], layer))
    hidden = units.pop()
    for layer in reversed(range(len(self.hidden))):
      hidden = self._decode_one(hidden, layer, units[layer])
    return hidden

  def code(
    self, patches: jax.Array, *, mean: jax.Array | None = None
  ) -> tuple[jax.Array, jax.Array]:
    """What the network sees of patches.

    Args:
      patches: float `[B, side, side, 1]`.
      mean: `[B, 1]` of the noisy patches, for clean ones; None: their own.

    Returns:
      (codes `[B, side**2]`, means `[B, 1]`).
    """
    chex.assert_shape(patches, (None, self.side, self.side, 1))
    chex.assert_type(patches, float)
    flat = patches.reshape(-1, self.side**2)
    if mean is None:
      mean = jnp.zeros_like(flat[:, :1])
      if not self.keep_mean:
        mean = flat.mean(1, keepdims=True)
    shift = self.gain * (flat - mean)
    if self.limit is not None:
      shift = jnp.clip(shift, -self.limit, self.limit)
    return self.center + shift, mean

  def pixels(self, code: jax.Array, mean: jax.Array) -> jax.Array:
    """The inverse of `code`, for what is predicted.

    Args:
      code: `[B, output_side**2]`.
      mean: `[B, 1]`.

    Returns:
      float32 `[B, output_side, output_side, 1]`.
    """
    flat = (code.astype(jnp.float32) - self.center) / self.gain + mean
    side = self._output_side()
    return flat.reshape(-1, side, side, 1)

  def central(self, code: jax.Array) -> jax.Array:
    """The part of a code that is predicted.

    Args:
      code: `[B, side**2]`.

    Returns:
      `[B, output_side**2]`.
    """
    edge = (self.side - self._output_side()) // 2
    part = slice(edge, self.side - edge)
    square = code.reshape(-1, self.side, self.side)
    return square[:, part, part].reshape(-1, self._output_side() ** 2)

  def encode(self, code: jax.Array, depth: int) -> jax.Array:
    """The hidden units of one layer.

    Args:
      code: `[B, side**2]`.
      depth: of the layer, 1 to K; 0: the code itself.

    Returns:
      `[B, units]`.

    Raises:
      ValueError: there is no such layer.
    """
    if not 0 <= depth <= len(self.hidden):
      raise ValueError(f'depth must be in 0..{len(self.hidden)}, got {depth}.')
    units = code
    for layer in range(depth):
      units = self._encode_one(units, layer)
    return self._turned(units) if depth else code

  def autoencoder(
    self, below: jax.Array, layer: int
  ) -> tuple[jax.Array, jax.Array]:
    """One denoising auto-encoder of the stack, alone.

    Args:
      below: what it sees: codes for layer 0, else hidden units of `layer`.
      layer: 0 to K - 1.

    Returns:
      (its hidden units, its reconstruction of a clean `below`).

    Raises:
      ValueError: there is no such layer.
    """
    if not 0 <= layer < len(self.hidden):
      raise ValueError(
        f'layer must be in 0..{len(self.hidden) - 1}, got {layer}.'
      )
    if layer:
      below = self._turned(below)
    hidden = self._encode_one(below, layer)
    output = self._decode_one(hidden, layer, below)
    return self._turned(hidden), self._turned(output) if layer else output

  def filters(self, params: chex.ArrayTree) -> jax.Array:
    """What the first layer's units look for.

    Args:
      params: of this network.

    Returns:
      `[pixels, units]`, the weights of a square of pixels, row by row.
    """
    return params['encoders_0']['kernel']

  def _encode_one(self, below: jax.Array, layer: int) -> jax.Array:
    if not layer:
      chex.assert_shape(below, (None, self.side**2))
    seen = below if layer else self._read(below)
    return ACTIVATIONS[self.activation](self.encoders[layer](seen))

  def _decode_one(
    self, hidden: jax.Array, layer: int, below: jax.Array
  ) -> jax.Array:
    """What lies below a layer, clean, from its units and what is seen there."""
    if layer:
      output = self.decoders[layer](hidden)
      return ACTIVATIONS[self.activation](self._join(output, below))
    if not self.gated:
      return ACTIVATIONS[self.output](self._write(self.decoders[0](hidden)))
    predicted, gate = self._gates(hidden, below)
    seen = self.central(below)
    return seen + gate * (ACTIVATIONS[self.output](predicted) - seen)

  # What a convolutional stack does otherwise. Within, hidden units have a
  # sample in each column.

  def _encoder(self, layer: int) -> nn.Module:
    return self._dense(self.hidden[layer])

  def _decoder(self, layer: int) -> nn.Module:
    if layer:
      return self._dense(self.hidden[layer - 1])
    return self._dense(self._output_side() ** 2 * (2 if self.gated else 1))

  def _dense(self, width: int) -> products.ColumnDense:
    # U(+-sqrt(6 / (in + out))): smaller ones leave a deep network of sigmoids
    # on the plateau where each patch is its own mean.
    return products.ColumnDense(
      width, kernel_init=nn.initializers.glorot_uniform(), dtype=self.dtype
    )

  def _join(self, output: jax.Array, below: jax.Array) -> jax.Array:
    del below
    return output

  def _gates(
    self, hidden: jax.Array, below: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """What is predicted, `[B, output_side**2]`, and where it counts."""
    del below
    output = self._write(self.decoders[0](hidden))
    predicted, gate = jnp.split(output, 2, axis=-1)
    return predicted, nn.sigmoid(gate)

  def _read(self, code: jax.Array) -> jax.Array:
    return memory.kept(code.T)

  def _write(self, output: jax.Array) -> jax.Array:
    return memory.kept(output).T

  def _turned(self, units: jax.Array) -> jax.Array:
    """From samples in columns to `[B, units]`, or back."""
    return units.T

  def _output_side(self) -> int:
    side = self.side if self.output_side is None else self.output_side
    if not 1 <= side <= self.side or (self.side - side) % 2:
      raise ValueError(f'{side} pixels have no exact centre in {self.side}.')
    return side
