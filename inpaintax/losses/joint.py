"""The joint loss of a context encoder."""

import chex
import jax


def joint(
  reconstruction: jax.Array,
  adversarial: jax.Array,
  *,
  weight: float | jax.Array,
) -> jax.Array:
  """Reconstruction and adversarial loss, weighted to sum to one.

  Args:
    reconstruction: `[B]`.
    adversarial: the generator's adversarial loss, `[B]`.
    weight: of the adversarial loss, in [0, 1]; 0.001 in the paper. Under `jit`
      it may be traced, as that of a schedule is, and is then not checked.

  Returns:
    `[B]`: `(1 - weight) * reconstruction + weight * adversarial`.

  Raises:
    AssertionError: the shapes differ.
    ValueError: `weight` is outside [0, 1].

  Source: Pathak et al. 2016, arXiv:1604.07379, eq. 3.
  """
  traced = isinstance(weight, jax.core.Tracer)
  if not traced and not 0 <= weight <= 1:
    raise ValueError(f'weight must be in [0, 1], got {weight}.')
  chex.assert_rank([reconstruction, adversarial], 1)
  chex.assert_equal_shape([reconstruction, adversarial])
  return (1 - weight) * reconstruction + weight * adversarial
