"""Reconstruction losses: how far a prediction is from the true image.

what counts                          | loss
the hole (paper)                     | `masked_l2`, `masked_l1`
the hole, its rim more               | `discounted_l1`
the hole, and known pixels more      | `overlap_l2` (authors' code, centre)
all pixels alike                     | `overlap_l2(..., known_weight=1)`
each number of a vector (Xie et al.) | `half_squared_error`
"""

import math
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from inpaintax.losses import precision


def masked_l2(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Mean squared error inside the hole, one value per image.

  Departs from the paper, which sums over the hole: we divide by its area, so
  that the balance with the adversarial term does not follow the hole's size.
  As the authors' code does for the predicted block.

  Args:
    prediction: network output, float `[B, H, W, C]`, in [-1, 1].
    target: true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 where a pixel is missing, 0 where known.

  Returns:
    `[B]`, squared intensity; 0 for an image without a hole.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Pathak et al. 2016, "Context Encoders", arXiv:1604.07379, eq. 1.

  >>> import jax.numpy as jnp
  >>> target = jnp.ones((1, 4, 4, 3))
  >>> mask = jnp.zeros((1, 4, 4, 1)).at[:, :2].set(1.0)
  >>> masked_l2(0.5 * target, target, mask).tolist()
  [0.25]
  """
  return _mean_inside(jnp.square, prediction, target, mask)


def masked_l1(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Mean absolute error inside the hole, one value per image.

  Sharper edges than `masked_l2`: it seeks the median, not the mean.

  Args:
    prediction: network output, float `[B, H, W, C]`, in [-1, 1].
    target: true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 where a pixel is missing, 0 where known.

  Returns:
    `[B]`, intensity; 0 for an image without a hole.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  return _mean_inside(jnp.abs, prediction, target, mask)


def discounted_l1(
  prediction: jax.Array,
  target: jax.Array,
  mask: jax.Array,
  *,
  discount: float = 0.99,
) -> jax.Array:
  """Mean absolute error inside the hole, less and less away from its rim.

  Deep in a hole much could be true; a pixel that is d pixels from the nearest
  known one, in steps to any of eight neighbours, counts discount^d. The border
  of the image is no known pixel. Divides by the hole's area, as `masked_l1`
  does, and not by the sum of the weights.

  Args:
    prediction: network output, float `[B, H, W, C]`, in [-1, 1].
    target: true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 where a pixel is missing, 0 where known.
    discount: in (0, 1]; 1 is `masked_l1`.

  Returns:
    `[B]`, intensity; 0 for an image without a hole.

  Raises:
    AssertionError: a shape or type differs from the above.
    ValueError: `discount` is out of range.

  Source: Yu et al. 2018, arXiv:1801.07892, sec. 3.2, where distances are those
  to the sides of a rectangle.
  """
  if not 0 < discount <= 1:
    raise ValueError(f'discount must be in (0, 1], got {discount}.')
  _check(prediction, target, mask)
  # No one's gradient; an image without known pixels is all far away.
  weights = discount ** jax.lax.stop_gradient(_steps_to_known(mask))
  return _mean_inside(lambda e: weights * jnp.abs(e), prediction, target, mask)


def _steps_to_known(mask: jax.Array) -> jax.Array:
  """Chessboard distance to the nearest known pixel, `[B, H, W, 1]`."""

  def shrink(
    _: int, both: tuple[jax.Array, jax.Array]
  ) -> tuple[jax.Array, jax.Array]:
    missing, steps = both
    around = jax.lax.reduce_window(
      missing, 1.0, jax.lax.min, (1, 3, 3, 1), (1, 1, 1, 1), 'SAME'
    )
    return around, steps + missing

  # bfloat16 counts to 256 only.
  missing = precision.wide((mask > 0).astype(mask.dtype))
  longest = max(mask.shape[1:3])
  start = (missing, jnp.zeros_like(missing))
  return jax.lax.fori_loop(0, longest, shrink, start)[1]


def overlap_l2(
  prediction: jax.Array,
  target: jax.Array,
  mask: jax.Array,
  *,
  known_weight: float = 10.0,
) -> jax.Array:
  """Mean squared error, in which known pixels have a weight of their own.

  The generator predicts a frame of known pixels around the hole too, so that
  its block continues what surrounds it; there an error costs more. Divides by
  the number of pixels and not by the sum of the weights, as the authors' code
  does: a constant error e costs 3.109375 e^2 with 4 pixels of overlap in a
  block of 64. Against the adversarial loss that factor matters.

  Args:
    prediction: network output, float `[B, H, W, C]`, in [-1, 1].
    target: true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 where a pixel is missing, 0 where known.
    known_weight: of known pixels, >= 0; missing ones have 1.

  Returns:
    `[B]`, squared intensity.

  Raises:
    AssertionError: a shape or type differs from the above.
    ValueError: `known_weight` is negative, infinite or no number.

  Source: train.lua of Pathak et al. 2016, option overlapPred.
  """
  if not 0 <= known_weight < math.inf:
    raise ValueError(f'known_weight must be finite, >= 0: got {known_weight}.')
  _check(prediction, target, mask)
  mask = precision.wide(mask)
  weights = mask + known_weight * (1 - mask)
  gaps = _gaps(prediction, target, weights)
  return (weights * jnp.square(gaps)).mean((1, 2, 3))


def half_squared_error(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Half the squared distance, summed over a vector: not a mean.

  Weight decay and sparsity are weighed against this sum: with a mean over n
  numbers in its place, lambda and beta would count n times as much.

  Args:
    prediction: float `[B, n]`.
    target: same shape and type.

  Returns:
    `[B]`.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Xie, Xu and Chen 2012, eq. 2.

  >>> half_squared_error(jnp.ones((1, 6)), jnp.zeros((1, 6))).tolist()
  [3.0]
  """
  chex.assert_rank([prediction, target], 2)
  chex.assert_equal_shape([prediction, target])
  chex.assert_type([prediction, target], float)
  return 0.5 * jnp.square(precision.wide(prediction - target)).sum(1)


def _mean_inside(
  error: Callable[[jax.Array], jax.Array],
  prediction: jax.Array,
  target: jax.Array,
  mask: jax.Array,
) -> jax.Array:
  _check(prediction, target, mask)
  # float16 ends at 65,504, fewer than the numbers of a large hole.
  mask = precision.wide(mask)
  area = mask.sum((1, 2, 3))
  # An image without a hole gives 0, not 0/0.
  area = jnp.where(area > 0, area, 1.0) * prediction.shape[-1]
  gaps = _gaps(prediction, target, mask)
  return (mask * error(gaps)).sum((1, 2, 3)) / area


def _gaps(
  prediction: jax.Array, target: jax.Array, weights: jax.Array
) -> jax.Array:
  """Errors; 0 without a weight, so that what does not count may be NaN."""
  return jnp.where(weights > 0, prediction - target, 0)


def _check(prediction: jax.Array, target: jax.Array, mask: jax.Array) -> None:
  chex.assert_rank([prediction, target, mask], 4)
  chex.assert_equal_shape([prediction, target])
  chex.assert_shape(mask, (*prediction.shape[:3], 1))
  chex.assert_type([prediction, target, mask], float)
