"""The joint loss of a context encoder."""

import chex
import jax


def joint(
  reconstruction: jax.Array, adversarial: jax.Array, *, weight: float
) -> jax.Array:
  """Reconstruction and adversarial loss, weighted to sum to one.

  Args:
    reconstruction: `[B]`.
    adversarial: the generator's adversarial loss, `[B]`.
    weight: of the adversarial loss, in [0, 1]; 0.001 in the paper.

  Returns:
    `[B]`: `(1 - weight) * reconstruction + weight * adversarial`.

  Raises:
    AssertionError: the shapes differ.
    ValueError: `weight` is outside [0, 1].

  Source: Pathak et al. 2016, arXiv:1604.07379, eq. 3.
  """
  if not 0 <= weight <= 1:
    raise ValueError(f'weight must be in [0, 1], got {weight}.')
  chex.assert_rank([reconstruction, adversarial], 1)
  chex.assert_equal_shape([reconstruction, adversarial])
  return (1 - weight) * reconstruction + weight * adversarial
