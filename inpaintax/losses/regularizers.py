"""What is asked of a network beside its output: sparse codes, small weights.

Unlike other losses these give one number, not one per image: the sparsity of a
unit is that of its mean over the whole batch, and weights have no batch.
"""

import chex
import jax
from jax import numpy as jnp

from inpaintax.losses import precision

# Means of sigmoid units are held this far from 0 and 1, where KL is infinite.
_EDGE = 1e-6


def kl_sparsity(
  hidden: jax.Array, *, rho: float | jax.Array, axis_name: str | None = None
) -> jax.Array:
  """Kullback-Leibler divergence of the units' mean activations from rho.

  The sum over units of rho log(rho / m) + (1 - rho) log((1 - rho) / (1 - m)),
  with m the unit's mean over the batch: KL(rho || m). The paper writes its two
  arguments in the other order and means this formula. There m is the mean over
  all training patches; here over the batch, so take batches of hundreds.

  Args:
    hidden: activations in [0, 1], float `[B, units]`.
    rho: sparsity target, in (0, 1). Under `jit` it may be traced, as a schedule
      is, and is then not checked.
    axis_name: pmapped axis over which to average the activations, or None.
      Gradients averaged over the axis are then those of the whole batch.

  Returns:
    Scalar, nats, at least 0; for 0.5 everywhere and rho 0.05, 0.4946 a unit.

  Raises:
    ValueError: `rho` is outside (0, 1), or the batch is empty.
    AssertionError: `hidden` is not a float matrix.

  Source: Xie, Xu and Chen 2012, "Image denoising and inpainting with deep
  neural networks", eq. 3.

  >>> round(float(kl_sparsity(jnp.full((4, 1), 0.5), rho=0.05)), 6)
  0.494632
  """
  chex.assert_rank(hidden, 2)
  chex.assert_type(hidden, float)
  if not isinstance(rho, jax.core.Tracer) and not 0 < rho < 1:
    raise ValueError(f'rho must be in (0, 1), got {rho}.')
  if not len(hidden):
    raise ValueError('the mean activation of an empty batch is not defined.')
  # In half precision what is held from 1 would be 1 again.
  mean = precision.wide(hidden).mean(0)
  if axis_name is not None:
    mean = jax.lax.pmean(mean, axis_name)
  mean = jnp.clip(mean, _EDGE, 1 - _EDGE)
  active = rho * (jnp.log(rho) - jnp.log(mean))
  silent = (1 - rho) * (jnp.log1p(-rho) - jnp.log1p(-mean))
  return (active + silent).sum()


def frobenius(*weights: jax.Array) -> jax.Array:
  """Half the sum of the squares of all weights: weight decay.

  Biases are not penalised: do not give them.

  Args:
    *weights: matrices.

  Returns:
    Scalar, to be multiplied by lambda.

  Source: Xie, Xu and Chen 2012, eq. 2 and 4.

  >>> float(frobenius(jnp.ones((3, 4)), jnp.ones((4, 3))))
  12.0
  """
  squares = (jnp.square(precision.wide(w)).sum() for w in weights)
  return 0.5 * sum(squares, jnp.zeros(()))
