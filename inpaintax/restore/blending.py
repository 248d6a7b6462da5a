"""Blending what fills a hole with its surroundings: no step at the edge."""

import chex
import jax
from jax import numpy as jnp


def poisson(
  source: jax.Array,
  target: jax.Array,
  mask: jax.Array,
  *,
  across: bool = True,
  tolerance: float = 1e-6,
  max_rounds: int = 2000,
) -> jax.Array:
  """Fills a hole with the gradients of one image, at the border with another's.

  What is added to the source inside the hole is the difference of both images
  where known pixels touch it, spread harmonically: the membrane of the paper's
  eq. 4 and 5. Pure, and compiled like all else: conjugate gradients on the
  whole image, in place of a sparse solver on the host.

  Args:
    source: float `[B, H, W, C]`: a model's output; known pixels next to the
      hole count, if `across`.
    target: same shape and type: the image whose known pixels count.
    mask: float `[B, H, W, 1]`, 1 = missing.
    across: whether the source's difference across the edge of the hole is to be
      kept. Of a model that was trained on missing pixels alone it means
      nothing: then there is to be none.
    tolerance: of the residual, as a share of the right-hand side.
    max_rounds: of the solver; a hole of d pixels across takes about 2 d.

  Returns:
    `[B, H, W, C]`, of that type; outside the hole the target. A hole without
    known neighbours gets the source.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Perez, Gangnet and Blake 2003, "Poisson image editing"; as Iizuka et
  al. 2017 blend what their network fills.
  """
  chex.assert_rank([source, target, mask], 4)
  chex.assert_equal_shape([source, target])
  chex.assert_shape(mask, (*source.shape[:3], 1))
  chex.assert_type([source, target, mask], float)
  ones = jnp.ones_like(mask)
  # Of each pixel: how many neighbours it has in the image.
  degree = _around(ones)

  def laplacian(x: jax.Array) -> jax.Array:
    # The identity where known, so that the system has full rank; a hole that
    # nothing touches stays solvable too, its right-hand side being 0.
    return jnp.where(mask > 0, degree * x - _around(mask * x), x)

  known = 1 - mask
  if across:
    right = mask * _around(known * (target - source))
  else:
    right = mask * (_around(known * target) - _around(known) * source)
  added, _ = jax.scipy.sparse.linalg.cg(
    laplacian, right, tol=tolerance, maxiter=max_rounds
  )
  return jnp.where(mask > 0, source + added, target).astype(source.dtype)


def _around(x: jax.Array) -> jax.Array:
  """Sum of the four neighbours; nothing lies beyond the border."""
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  return x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
