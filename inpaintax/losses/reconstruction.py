"""Reconstruction losses: how far a prediction is from the true image.

Each is a mean of per-pixel errors under some weights, `[B]`:

  what counts           | weights
  the hole (paper)      | `mask`
  whole image           | ones (`jnp.ones_like(mask)`)
  hole and its frame    | `overlap_weights(mask)`
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp


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
    mask: float `[B, H, W, 1]`, 1 where a pixel is missing, 0 where known; or
      any other weights >= 0.

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
  return _weighted_mean(jnp.square, prediction, target, mask)


def masked_l1(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Mean absolute error inside the hole, one value per image.

  Sharper edges than `masked_l2`: it seeks the median, not the mean.

  Args:
    prediction: network output, float `[B, H, W, C]`, in [-1, 1].
    target: true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 where a pixel is missing, 0 where known; or
      any other weights >= 0.

  Returns:
    `[B]`, intensity; 0 for an image without a hole.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  return _weighted_mean(jnp.abs, prediction, target, mask)


def overlap_weights(mask: jax.Array, *, weight: float = 10.0) -> jax.Array:
  """Weights under which known pixels of a predicted block count more.

  The generator predicts a frame of known pixels around the hole too, so that
  its block continues what surrounds it; errors on them weigh `weight` times
  those in the hole. With `masked_l2` the result is a weighted mean: the
  authors' code divides by the number of pixels instead, which is larger by a
  constant factor (3.109375 for 4 pixels of overlap in a block of 64).

  Args:
    mask: the block's mask, float `[B, H, W, 1]`, 1 in the hole, 0 in the frame.
    weight: of the frame, >= 0. 0 is the paper's loss, 1 a plain mean.

  Returns:
    `[B, H, W, 1]`: 1 in the hole, `weight` elsewhere.

  Raises:
    AssertionError: a shape or type differs from the above.
    ValueError: `weight` is negative.

  Source: train.lua of Pathak et al. 2016, option overlapPred.
  """
  if weight < 0:
    raise ValueError(f'weight must not be negative, got {weight}.')
  chex.assert_rank(mask, 4)
  chex.assert_type(mask, float)
  return mask + weight * (1 - mask)


def _weighted_mean(
  error: Callable[[jax.Array], jax.Array],
  prediction: jax.Array,
  target: jax.Array,
  weights: jax.Array,
) -> jax.Array:
  chex.assert_rank([prediction, target, weights], 4)
  chex.assert_equal_shape([prediction, target])
  chex.assert_shape(weights, (*prediction.shape[:3], 1))
  chex.assert_type([prediction, target, weights], float)
  total = weights.sum((1, 2, 3))
  # An image without a hole gives 0, not 0/0.
  total = jnp.where(total > 0, total, 1.0) * prediction.shape[-1]
  return (weights * error(prediction - target)).sum((1, 2, 3)) / total
