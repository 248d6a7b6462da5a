"""Stacked convolutional denoising auto-encoders, for blind inpainting.

A unit of `ssda.StackedAutoencoder` knows one place of one patch: what a letter
looks like must be learnt anew for each. Here all places share their weights, as
in Masci et al. 2011, "Stacked convolutional auto-encoders for hierarchical
feature extraction", and each layer sees the neighbours' units of the one below.
"""

import jax
from flax import linen as nn

from inpaintax.models.ssda import StackedAutoencoder

# Units of a layer see 3x3 cells of the one below.
_KERNEL = (3, 3)


class ConvolutionalAutoencoder(StackedAutoencoder):
  """Denoises grey patches, far larger ones than its units see.

  Input and output as those of `StackedAutoencoder`, whose attributes it has;
  departing from the published convolutional form, a layer keeps its resolution
  instead of pooling: the first one sees cells of pixels, side by side. Hidden
  units are `[B, cells, cells, units]`; weights begin as suits rectified ones.

  A pixel of the output depends on those up to `2 K cell` beyond its cell.

  Attributes:
    hidden: units of each encoding layer, at every cell.
    cell: side of a cell, pixels; divides `side`, and the part that is not
      predicted on each side.

  Raises:
    ValueError: an activation is not known, or cells do not fit.
  """

  cell: int = 4

  def setup(self) -> None:
    edge = (self.side - self._output_side()) // 2
    if self.side % self.cell or edge % self.cell:
      raise ValueError(
        f'cells of {self.cell} pixels do not fit {self.side} pixels and {edge}'
        ' around what is predicted.'
      )
    super().setup()

  def _layer(self, width: int) -> nn.Module:
    return nn.Conv(
      width,
      _KERNEL,
      kernel_init=nn.initializers.he_uniform(),
      dtype=self.dtype,
    )

  def _outputs(self) -> int:
    return self.cell**2

  def _read(self, code: jax.Array) -> jax.Array:
    """`[B, side**2]` as `[B, cells, cells, cell**2]`."""
    count = self.side // self.cell
    split = code.reshape(len(code), count, self.cell, count, self.cell)
    return split.transpose(0, 1, 3, 2, 4).reshape(len(code), count, count, -1)

  def _write(self, cells: jax.Array) -> jax.Array:
    """The inverse, of the part that is predicted."""
    edge = (self.side - self._output_side()) // 2 // self.cell
    part = slice(edge, cells.shape[1] - edge)
    cells = cells[:, part, part]
    count = cells.shape[1]
    split = cells.reshape(-1, count, count, self.cell, self.cell)
    return split.transpose(0, 1, 3, 2, 4).reshape(len(cells), -1)
