"""How near a fill is to the truth; one value per image.

Contract: `prediction` and `target` are float `[B, H, W, C]` in [0, 1], masks
float `[B, H, W, 1]`, 1 = missing; values inside the mask alone count. The
caller composites and rounds to 8 bit first, so that every method is measured as
it would be saved. For the whole image take a mask of ones.

An image without a hole scores as a perfect one (0, 0, infinity, 1, 1, 1), never
NaN. A mean of PSNRs is not the PSNR of a mean: papers give the former, and it
is about 1.2 to 1.5 dB higher. `psnr_of_l2` gives the latter.
"""

from collections.abc import Callable

import chex
import dm_pix
import jax
import optax
from jax import numpy as jnp

# The usual window of SSIM: 11 x 11 pixels, Gaussian of 1.5.
SSIM_WINDOW = 11


def mean_l1(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Mean absolute error inside the mask, in percent of the range.

  Args:
    prediction: float `[B, H, W, C]`, in [0, 1].
    target: the true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B]`, in [0, 100]; 0 for an image without a hole.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Pathak et al. 2016, arXiv:1604.07379, table 1.
  """
  _check(prediction, target, mask)
  return 100 * _mean_inside(jnp.abs(prediction - target), mask)


def mean_l2(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Mean squared error inside the mask, in percent of the range's square.

  Args:
    prediction: float `[B, H, W, C]`, in [0, 1].
    target: the true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B]`, in [0, 100]; 0 for an image without a hole.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Pathak et al. 2016, arXiv:1604.07379, table 1.
  """
  _check(prediction, target, mask)
  return 100 * _mean_inside(jnp.square(prediction - target), mask)


def psnr(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Peak signal-to-noise ratio inside the mask, in dB.

  Args:
    prediction: float `[B, H, W, C]`, in [0, 1].
    target: the true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B]`; infinity where the two are equal and for an image without a hole
    (JSON has no infinity: clamp or count such images before writing).

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Pathak et al. 2016, arXiv:1604.07379, table 1.

  >>> target = jnp.zeros((1, 2, 2, 3))
  >>> print(psnr(target + 0.1, target, jnp.ones((1, 2, 2, 1))).round(3))
  [20.]
  """
  return psnr_of_l2(mean_l2(prediction, target, mask))


def psnr_of_l2(l2_percent: jax.Array) -> jax.Array:
  """The PSNR that belongs to a mean L2.

  Of one image's mean L2 it is that image's PSNR; of the mean L2 of a data set,
  the PSNR of the mean.

  Args:
    l2_percent: mean squared errors of any shape, in percent as of `mean_l2`.

  Returns:
    dB, of the same shape; infinity for 0.
  """
  return -10 * jnp.log10(l2_percent / 100)


def ssim(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Structural similarity, averaged over the windows centred in the mask.

  Windows are 11 x 11 Gaussians of sigma 1.5 that lie wholly inside the image:
  pixels within 5 of its border are no centres, and a hole that has only such
  pixels counts as none. The mean of the channels' values.

  Args:
    prediction: float `[B, H, W, C]`, in [0, 1]; each side at least 11.
    target: the true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B]`, at most 1, and 1 where the two are equal; 1 without a hole.

  Raises:
    AssertionError: a shape or type differs from the above.
    ValueError: the images are smaller than a window.

  Source: Wang et al. 2004, "Image quality assessment", eq. 13; by dm-pix.
  """
  _check(prediction, target, mask)
  if min(prediction.shape[1:3]) < SSIM_WINDOW:
    raise ValueError(
      f'SSIM needs sides of at least {SSIM_WINDOW} pixels, '
      f'got {prediction.shape[1:3]}.'
    )
  if not len(prediction):  # dm-pix divides by the number.
    return jnp.ones(0, prediction.dtype)
  similarity = dm_pix.ssim(
    prediction, target, filter_size=SSIM_WINDOW, return_map=True
  )
  edge = SSIM_WINDOW // 2
  # The distance from 1, so that no window at all gives 1.
  return 1 - _mean_inside(1 - similarity, mask[:, edge:-edge, edge:-edge])


def gradient_magnitude(image: jax.Array, mask: jax.Array) -> jax.Array:
  """Mean gradient magnitude inside the mask, by forward differences.

  A pixel counts if it, its right and its lower neighbour are all missing: so no
  difference crosses the border of the hole, and a visible seam is not taken for
  detail. The mean of the channels' values.

  Args:
    image: float `[B, H, W, C]`, in [0, 1].
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B]`, intensity per pixel; 0 for an image where no pixel counts.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  _check(image, image, mask)
  corner = image[:, :-1, :-1]
  steps = jnp.stack([image[:, :-1, 1:], image[:, 1:, :-1]]) - corner[None]
  inside = mask[:, :-1, :-1] * mask[:, :-1, 1:] * mask[:, 1:, :-1]
  # Safe: flat areas get the gradient 0, where a root's slope is infinite.
  return _mean_inside(optax.safe_norm(steps, 0.0, axis=0), inside)


def edge_difference(image: jax.Array, mask: jax.Array) -> jax.Array:
  """Mean absolute difference across the edge of the hole.

  Of all pairs of neighbours, across and down, of which one is missing and one
  is known. The mean of the channels' values.

  Args:
    image: float `[B, H, W, C]`, in [0, 1].
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B]`, intensity; 0 for an image without such a pair.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  _check(image, image, mask)
  total, pairs = jnp.zeros(len(image)), jnp.zeros(len(image))
  for axis in (1, 2):
    ahead = lambda x, axis=axis: jnp.diff(x, axis=axis)
    across = jnp.abs(ahead(mask)).astype(total.dtype)  # To sum in.
    steps = across * jnp.abs(ahead(image))
    total += jnp.where(across > 0, steps, 0).sum((1, 2, 3))
    pairs += across.sum((1, 2, 3))
  return total / (jnp.maximum(pairs, 1) * image.shape[-1])


def seam(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Difference across the edge of the hole, divided by that of the truth.

  Above 1: the edge shows, as a step; below 1: what is filled continues its
  surroundings more smoothly than the photograph does. `prediction` has the
  known pixels outside the mask. Over a data set, rather divide the means, as
  with `sharpness`.

  Args:
    prediction: float `[B, H, W, C]`, in [0, 1], the composite.
    target: the true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B]`, at least 0; exactly 1 where the two are equal, also where both are
    flat, and without an edge; infinity where the target alone is flat.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  _check(prediction, target, mask)
  return _ratio(edge_difference, prediction, target, mask)


def sharpness(
  prediction: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """Gradient magnitude inside the mask, divided by that of the truth.

  Below 1: blurred; above 1: too rough. It says nothing of where the edges are.
  Over a data set, rather divide the mean `gradient_magnitude` of the
  predictions by that of the targets: one flat target would rule a mean of
  ratios.

  Args:
    prediction: float `[B, H, W, C]`, in [0, 1].
    target: the true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B]`, at least 0; exactly 1 where the two are equal, also where both are
    flat, and without a hole; infinity where the target alone is flat.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  _check(prediction, target, mask)
  return _ratio(gradient_magnitude, prediction, target, mask)


def of_both(
  measure: Callable[[jax.Array, jax.Array], jax.Array],
  prediction: jax.Array,
  target: jax.Array,
  mask: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Measures predictions and true images alike.

  Args:
    measure: `gradient_magnitude` or `edge_difference`.
    prediction: float `[B, H, W, C]`, in [0, 1].
    target: the true images; same shape, type and range.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    (of the predictions, of the targets), each `[B]`.
  """
  # As one batch, so that equal images get equal sums to the last bit.
  both = measure(
    jnp.concatenate([prediction, target]), jnp.concatenate([mask, mask])
  )
  return both[: len(mask)], both[len(mask) :]


def _ratio(
  measure: Callable[[jax.Array, jax.Array], jax.Array],
  prediction: jax.Array,
  target: jax.Array,
  mask: jax.Array,
) -> jax.Array:
  ours, truth = of_both(measure, prediction, target, mask)
  ratio = ours / jnp.where(truth == 0, 1, truth)
  return jnp.where(truth == 0, jnp.where(ours == 0, 1, jnp.inf), ratio)


def _check(prediction: jax.Array, target: jax.Array, mask: jax.Array) -> None:
  chex.assert_rank([prediction, target, mask], 4)
  chex.assert_equal_shape([prediction, target])
  chex.assert_shape(mask, (*prediction.shape[:3], 1))
  chex.assert_type([prediction, target, mask], float)


def _mean_inside(values: jax.Array, mask: jax.Array) -> jax.Array:
  """Mean of `[B, H, W, C]` over the mask's pixels; 0 where it has none."""
  mask = mask.astype(jnp.promote_types(mask.dtype, jnp.float32))  # To sum in.
  area = jnp.maximum(mask.sum((1, 2, 3)), 1) * values.shape[-1]
  # Not a product alone: what does not count may be anything, also NaN.
  return jnp.where(mask > 0, mask * values, 0).sum((1, 2, 3)) / area
