"""Optimisers that need to know which parameters are kernels."""

from typing import Any

import chex
import jax
import optax

# Sides of a kernel as a matrix, the smaller one. Fewer are those of a last
# layer, which is none that is hidden; of more, at 256, iterations take longer
# than the gradient on a CPU, and brought no more than Nadam.
_SMALLEST = 16
_LARGEST = 128


def muon(rate: optax.Schedule) -> optax.GradientTransformation:
  """Muon for the kernels of hidden convolutions, Nadam for all else.

  A kernel is a matrix of all that a unit sees by its units; its step is the
  momentum with all singular values made equal, of the size that Adam's steps
  have. All else, and kernels whose smaller side as a matrix is below 16 or
  above 128, is Adam's, with Nesterov's momentum (Dozat 2016).

  Args:
    rate: of both.

  Returns:
    The optimiser. A parameter without a gradient stays where it is.

  Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural
  networks"; their size: Liu et al. 2025, arXiv:2502.16982, sec. 2.2. Departs in
  the largest kernels.
  """
  return optax.contrib.muon(
    rate, consistent_rms=0.2, muon_weight_dimension_numbers=_matrices
  )


def _matrices(params: chex.ArrayTree) -> Any:
  """How Muon should read each parameter; None: not at all."""

  def one(weights: jax.Array) -> optax.contrib.MuonDimensionNumbers | None:
    if weights.ndim != 4:
      return None
    units = weights.shape[-1]
    if not _SMALLEST <= min(units, weights.size // units) <= _LARGEST:
      return None
    return optax.contrib.MuonDimensionNumbers((0, 1, 2), 3)

  return jax.tree.map(one, params)
