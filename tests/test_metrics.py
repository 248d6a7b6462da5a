import jax
import numpy as np
import pytest
from jax import numpy as jnp
from skimage import metrics as reference

from inpaintax import metrics

METRICS = {
  name: getattr(metrics, name)
  for name in ('mean_l1', 'mean_l2', 'psnr', 'ssim', 'sharpness', 'seam')
}
PERFECT = dict.fromkeys(METRICS, 1) | {
  'mean_l1': 0,
  'mean_l2': 0,
  'psnr': np.inf,
}
every_metric = pytest.mark.parametrize('name', METRICS)


def noise(count=2, height=24, width=32, seed=0):
  shape = (count, height, width, 3)
  return np.random.default_rng(seed).random(shape, np.float32)


def block(count=2, height=24, width=32):
  mask = np.zeros((count, height, width, 1), np.float32)
  mask[:, 6:18, 8:24] = 1
  return mask


def full(image):
  return np.ones((*image.shape[:3], 1), np.float32)


def smoothed(image):
  rows = (np.roll(image, 1, 1) + image + np.roll(image, -1, 1)) / 3
  return (np.roll(rows, 1, 2) + rows + np.roll(rows, -1, 2)) / 3


class TestEveryMetric:
  @every_metric
  def test_one_value_per_image_jitted_mapped_or_plain(self, name):
    prediction, target, mask = noise(4, seed=1), noise(4), block(4)
    plain = METRICS[name](prediction, target, mask)
    assert plain.shape == (4,) and plain.dtype == jnp.float32
    jitted = jax.jit(METRICS[name])(prediction, target, mask)
    np.testing.assert_allclose(jitted, plain, rtol=1e-5)
    mapped = jax.vmap(METRICS[name])(
      *[x.reshape(2, 2, *x.shape[1:]) for x in (prediction, target, mask)]
    )
    np.testing.assert_allclose(mapped.reshape(4), plain, rtol=1e-5)
    # The last image alone: no value leans on the rest of the batch.
    alone = METRICS[name](prediction[3:], target[3:], mask[3:])
    np.testing.assert_allclose(alone, plain[3:], rtol=1e-5)

  @every_metric
  def test_no_hole_counts_as_perfect_and_nothing_is_nan(self, name):
    mask = block() * np.array([0, 1], np.float32).reshape(2, 1, 1, 1)
    found = METRICS[name](noise(seed=1), noise(), mask)
    assert found[0] == PERFECT[name]
    assert np.isfinite(found[1]) and found[1] != PERFECT[name]

  @every_metric
  def test_equal_images_are_perfect(self, name):
    found = METRICS[name](noise(), noise(), block())
    rtol = 1e-5 if name == 'ssim' else 0
    np.testing.assert_allclose(found, [PERFECT[name]] * 2, rtol=rtol)

  @pytest.mark.parametrize('name', ['mean_l1', 'mean_l2', 'psnr', 'sharpness'])
  def test_known_pixels_do_not_count(self, name):
    prediction, target, mask = noise(seed=1), noise(), block()
    composite = mask * prediction + (1 - mask) * target
    np.testing.assert_allclose(
      METRICS[name](prediction, target, mask),
      METRICS[name](composite, target, mask),
      rtol=1e-6,
    )

  @every_metric
  def test_refuses_wrong_shapes_and_types(self, name):
    image, mask = noise(), block()
    with pytest.raises(AssertionError):
      METRICS[name](image, image, image)
    with pytest.raises(AssertionError):
      METRICS[name](image[:1], image, mask)
    with pytest.raises(AssertionError):
      METRICS[name](image[0], image[0], mask[0])
    with pytest.raises(AssertionError):
      METRICS[name](image.astype(np.uint8), image.astype(np.uint8), mask)


class TestErrors:
  @pytest.mark.parametrize('offset', [0.1, -0.25])
  def test_constant_offset(self, offset):
    target = np.full((2, 8, 8, 3), 0.5, np.float32)
    prediction, mask = target + np.float32(offset), full(target)
    for found, expected in [
      (metrics.mean_l1(prediction, target, mask), 100 * abs(offset)),
      (metrics.mean_l2(prediction, target, mask), 100 * offset**2),
      (metrics.psnr(prediction, target, mask), -20 * np.log10(abs(offset))),
    ]:
      np.testing.assert_allclose(found, [expected] * 2, rtol=1e-5)

  def test_checkerboard_against_black_is_half(self):
    board = np.indices((8, 8)).sum(0) % 2
    target = np.broadcast_to(board[None, :, :, None], (1, 8, 8, 3))
    target = target.astype(np.float32)
    black, mask = np.zeros_like(target), full(target)
    np.testing.assert_allclose(metrics.mean_l1(black, target, mask), [50])
    np.testing.assert_allclose(metrics.mean_l2(black, target, mask), [50])
    np.testing.assert_allclose(
      metrics.psnr(black, target, mask), [10 * np.log10(2)], rtol=1e-6
    )

  def test_the_mean_is_over_the_hole_and_all_channels(self):
    target = np.ones((1, 4, 4, 3), np.float32)
    prediction = target.copy()
    prediction[0, 1, 1] = 0  # a missing pixel, wrong in three channels
    prediction[0, 2, 2, 0] = 0  # another, in one
    prediction[0, 0, 0] = 0  # a known one
    mask = np.zeros((1, 4, 4, 1), np.float32)
    mask[0, 1:3, 1:3] = 1
    np.testing.assert_allclose(
      metrics.mean_l1(prediction, target, mask), [100 * 4 / 12], rtol=1e-6
    )

  def test_mean_of_psnrs_exceeds_psnr_of_the_mean(self):
    # Errors 0.1 and 0.01: 20 and 40 dB; their mean square is 0.00505.
    target = np.zeros((2, 4, 4, 3), np.float32)
    offset = np.array([0.1, 0.01], np.float32).reshape(2, 1, 1, 1)
    l2 = metrics.mean_l2(target + offset, target, full(target))
    np.testing.assert_allclose(metrics.psnr_of_l2(l2), [20, 40], rtol=1e-5)
    np.testing.assert_allclose(
      metrics.psnr_of_l2(l2.mean()), -10 * np.log10(0.00505), rtol=1e-5
    )


def skimage_ssim(prediction, target):
  return reference.structural_similarity(
    prediction.astype(np.float64),
    target.astype(np.float64),
    gaussian_weights=True,
    sigma=1.5,
    use_sample_covariance=False,
    data_range=1.0,
    channel_axis=-1,
    full=True,
  )


class TestSsim:
  @pytest.mark.parametrize('strength', [0.02, 0.3])
  def test_whole_image_equals_scikit_image(self, strength):
    target = smoothed(noise())
    prediction = np.clip(target + strength * (noise(seed=1) - 0.5), 0, 1)
    expected = [
      skimage_ssim(p, t)[0] for p, t in zip(prediction, target, strict=True)
    ]
    np.testing.assert_allclose(
      metrics.ssim(prediction, target, full(target)), expected, atol=1e-5
    )

  def test_windows_centred_in_the_hole_equal_scikit_image(self):
    target = smoothed(noise())
    prediction = np.clip(target + 0.3 * (noise(seed=1) - 0.5), 0, 1)
    mask = block()
    mask[:, :, -7:] = 1  # of which the two columns 25 and 26 are centres
    inside = mask[0, ..., 0] == 1
    inside[:, -5:] = inside[:5] = inside[-5:] = False
    expected = [
      skimage_ssim(p, t)[1][inside].mean()
      for p, t in zip(prediction, target, strict=True)
    ]
    np.testing.assert_allclose(
      metrics.ssim(prediction, target, mask), expected, atol=1e-5
    )

  def test_two_flat_images(self):
    a, b, c1 = 0.25, 0.75, 0.01**2
    target = np.full((1, 11, 11, 3), a, np.float32)
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    np.testing.assert_allclose(
      metrics.ssim(target + 0.5, target, full(target)), [expected], rtol=1e-4
    )

  def test_a_hole_on_the_border_alone_has_no_window(self):
    mask = np.zeros((2, 24, 32, 1), np.float32)
    mask[:, :5] = 1
    np.testing.assert_array_equal(metrics.ssim(noise(2), noise(), mask), 1)

  def test_refuses_images_smaller_than_a_window(self):
    image = noise(1, 10, 32)
    with pytest.raises(ValueError, match='11'):
      metrics.ssim(image, image, full(image))


class TestSharpness:
  def test_gradient_of_a_ramp(self):
    rows, columns = np.mgrid[:8, :9]
    ramp = (0.03 * rows + 0.04 * columns).astype(np.float32)
    image = np.broadcast_to(ramp[None, :, :, None], (1, 8, 9, 3))
    for mask in (full(image), block(1, 8, 9)[:, :, ::-1]):
      mask[:, 2:5, 3:6] = 1
      np.testing.assert_allclose(
        metrics.gradient_magnitude(image, mask), [0.05], rtol=1e-4
      )

  def test_only_differences_inside_the_hole_count(self):
    # One step of 1 between columns 3 and 4, in a hole of columns 2 to 5: the
    # pixels that count are columns 2 to 4 of rows 2 to 4, one third on it.
    image = np.zeros((1, 8, 8, 1), np.float32)
    image[:, :, 4:] = 1
    mask = np.zeros((1, 8, 8, 1), np.float32)
    mask[:, 2:6, 2:6] = 1
    np.testing.assert_allclose(
      metrics.gradient_magnitude(image, mask), [1 / 3], rtol=1e-6
    )
    # A seam all around the hole is no sharpness.
    seam = np.where(mask == 1, 1 - image, image)
    np.testing.assert_allclose(metrics.sharpness(seam, image, mask), [1])
    np.testing.assert_array_equal(metrics.gradient_magnitude(mask, mask), 0)

  def test_half_the_contrast_is_half_as_sharp(self):
    target, mask = noise(), block()
    np.testing.assert_allclose(
      metrics.sharpness(target / 2 + 0.2, target, mask), [0.5, 0.5], rtol=1e-5
    )

  def test_blurred_is_below_one_and_itself_exactly_one(self):
    target, mask = noise(), block()
    blurred = metrics.sharpness(smoothed(target), target, mask)
    assert (blurred < 0.7).all() and (blurred > 0).all()
    assert (metrics.sharpness(target, target, mask) == 1).all()
    assert (jax.jit(metrics.sharpness)(target, target.copy(), mask) == 1).all()

  def test_flat_target(self):
    flat, rough, mask = np.zeros_like(noise()), noise(), block()
    np.testing.assert_array_equal(metrics.sharpness(flat + 1, flat, mask), 1)
    np.testing.assert_array_equal(metrics.sharpness(rough, flat, mask), np.inf)
    np.testing.assert_array_equal(metrics.sharpness(flat, rough, mask), 0)
    slope = jax.grad(lambda x: metrics.gradient_magnitude(x, mask).sum())
    np.testing.assert_array_equal(slope(flat), 0)  # Not NaN.


class TestSeam:
  """Differences across the edge of the hole."""

  def test_a_step_at_the_edge_is_counted_and_none_elsewhere(self):
    mask = jnp.zeros((1, 12, 12, 1)).at[:, 3:7, 4:9].set(1.0)
    shares = jnp.array([1.0, 1.0, 0.4]).reshape(1, 1, 1, 3)
    image = 0.2 + 0.5 * mask * shares
    found = metrics.edge_difference(image, mask)
    np.testing.assert_allclose(found, [0.5 * 0.8], rtol=1e-5)
    # Whatever lies wholly inside or wholly outside.
    rough = image.at[:, 4:6, 5:8].set(0.9).at[:, 9:, :].set(0.0)
    np.testing.assert_allclose(
      metrics.edge_difference(rough, mask), found, rtol=1e-5
    )

  def test_each_pair_counts_alike_at_corners_and_at_the_border(self):
    # One missing pixel in the corner: two pairs, differences 0.1 and 0.3.
    mask = jnp.zeros((1, 12, 12, 1)).at[:, 0, 0].set(1.0)
    image = jnp.zeros((1, 12, 12, 3)).at[:, 0, 1].set(0.1).at[:, 1, 0].set(0.3)
    found = metrics.edge_difference(image, mask)
    np.testing.assert_allclose(found, [0.2], rtol=1e-5)

  def test_twice_the_step_of_the_truth_is_two(self):
    mask = jnp.zeros((1, 12, 12, 1)).at[:, 3:7, 4:9].set(1.0)
    target = jnp.broadcast_to(0.1 + 0.2 * mask, (1, 12, 12, 3))
    prediction = jnp.broadcast_to(0.1 + 0.4 * mask, (1, 12, 12, 3))
    found = metrics.seam(prediction, target, mask)
    np.testing.assert_allclose(found, [2], rtol=1e-5)
    flat = jnp.full_like(target, 0.1)
    assert metrics.seam(prediction, flat, mask) == jnp.inf
    assert metrics.seam(flat, target, mask) == 0


@every_metric
def test_what_does_not_count_may_be_no_number(name):
  target, mask = noise(), block()
  prediction = smoothed(target)
  expected = METRICS[name](prediction, target, mask)
  far = np.zeros(mask.shape, bool)
  far[:, 0] = True  # Neither in the hole, nor at its edge, nor in a window.
  spoiled = [np.where(far, np.nan, x) for x in (prediction, target)]
  np.testing.assert_array_equal(METRICS[name](*spoiled, mask), expected)


@every_metric
def test_no_images_have_no_figures(name):
  assert METRICS[name](noise(0), noise(0), block(0)).shape == (0,)


def test_large_images_of_half_precision_have_figures_too():
  ones = jnp.ones((1, 256, 256, 1), jnp.float16)
  assert metrics.psnr(0.5 * ones, ones, ones).tolist() == [
    pytest.approx(20 * np.log10(2), abs=1e-3)
  ]
