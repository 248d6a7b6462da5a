import jax
import numpy as np
from jax import numpy as jnp

from inpaintax.corruptions import fields


def test_whole_covers_its_range_and_never_leaves_it():
  # The greatest and the least draw there is, for every count.
  draws = jnp.array([[0.0], [1 - 2**-23]], jnp.float32)
  counts = jnp.arange(1, 2**16)[None, :]
  found = np.asarray(fields.whole(draws, counts))
  np.testing.assert_array_equal(found[0], 0)
  np.testing.assert_array_equal(found[1], counts[0] - 1)


def test_lowest_is_exact_with_ties_and_at_both_ends_of_the_range():
  values = np.random.default_rng(0).integers(-3, 3, (9, 7)).astype(np.float32)
  values[0, :2] = 2**24 - 1, 1 - 2**24
  order = np.argsort(values.ravel(), kind='stable')
  lowest = jax.jit(fields.lowest)
  for count in range(64):
    expected = np.zeros(63, bool)
    expected[order[:count]] = True
    np.testing.assert_array_equal(
      lowest(values, jnp.int32(count)), expected.reshape(9, 7)
    )


def test_smooth_of_equal_draws_is_flat():
  size, resolution = (20, 30), 0.06
  draws = jnp.full(fields.draws_needed(size, resolution=resolution), 0.75)
  field = fields.smooth(draws, size, resolution=resolution)
  # Level 192 - 128 in units of 256 * 256; a row of rounded weights sums to
  # 256 within two.
  np.testing.assert_allclose(field, 64 * 256**2, rtol=4 / 256 + 1e-4)


def test_smooth_of_a_ramp_is_a_ramp_that_starts_at_the_window():
  size, resolution = (20, 30), 0.125
  # Pixels lie at 1 … 1 + 26 / 8 cells; the cubic reaches two further.
  ramp = np.repeat(16 * np.arange(7) / 256, 8)
  for top in (0, 5, 7):
    draws = jnp.array([top / 8, 0, *ramp], jnp.float32)
    field = fields.smooth(draws, size, resolution=resolution) / 256**2
    expected = 16 * (1 + (np.arange(20) + top) / 8) - 128
    # A pixel is two levels; the rounded weights cost less than one.
    np.testing.assert_allclose(
      field, np.tile(expected[:, None], (1, 30)), atol=1, rtol=0
    )


def test_cubic_weights_keep_parabolas():
  # Keys' cubic reproduces polynomials up to the second degree.
  weights = fields._cubic_weights(50, 0.06) / 256
  place = np.arange(50) * 0.06 + 1
  cells = np.arange(weights.shape[1])
  for degree in range(3):
    # Four weights, each rounded by at most half of 1/256.
    bound = 4 * 0.5 / 256 * cells.max() ** degree
    np.testing.assert_allclose(
      weights @ cells**degree, place**degree, atol=bound
    )


def test_sums_are_exact_in_float32():
  for resolution in (0.01, 0.06, 0.1, 0.5, 1.0):
    weights = np.abs(fields._cubic_weights(300, resolution))
    assert 128 * weights.sum(1).max() ** 2 < 2**24
