import jax
import numpy as np
import pytest

from inpaintax.corruptions import masks


def make_keys(count):
  return jax.random.split(jax.random.key(0), count)


def draw(maker, keys, size, **options):
  return np.asarray(jax.jit(lambda keys: maker(keys, size, **options))(keys))


class TestRandomRegion:
  def test_share_stays_in_bounds_for_all_keys(self):
    drawn = draw(masks.random_region, make_keys(500), (48, 64))
    share = drawn.mean((1, 2, 3))
    assert 0.2 <= share.min() and share.max() <= 0.3
    assert share.min() < 0.205 and share.max() > 0.295

  def test_every_whole_number_of_pixels_occurs(self):
    drawn = draw(masks.random_region, make_keys(500), (10, 10))
    assert set(drawn.sum((1, 2, 3)).tolist()) == set(range(20, 31))

  @pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
  def test_equal_bounds_give_that_share_exactly(self, share):
    drawn = draw(
      masks.random_region,
      make_keys(50),
      (16, 16),
      min_area=share,
      max_area=share,
    )
    np.testing.assert_array_equal(drawn.mean((1, 2, 3)), share)

  def test_no_place_is_favoured(self):
    drawn = draw(
      masks.random_region,
      make_keys(2000),
      (64, 64),
      min_area=0.25,
      max_area=0.25,
    )
    # Five standard deviations of 2,000 draws of probability a quarter, and the
    # one per cent by which the middle and the border differ at this size.
    np.testing.assert_allclose(drawn.mean(0), 0.25, atol=0.06)

  def test_is_smooth_at_a_fine_scale_and_noise_at_resolution_one(self):
    def changes(resolution):
      drawn = draw(
        masks.random_region,
        make_keys(20),
        (64, 64),
        min_area=0.25,
        max_area=0.25,
        resolution=resolution,
      )
      return np.abs(np.diff(drawn, axis=2)).mean()

    # Independent pixels differ with probability 2 * 1/4 * 3/4.
    np.testing.assert_allclose(changes(1.0), 0.375, atol=0.01)
    assert changes(0.06) < 0.06

  @pytest.mark.parametrize(
    'options',
    [
      {'min_area': -0.1},
      {'min_area': 0.4},
      {'max_area': 1.1},
      {'min_area': 0.201, 'max_area': 0.202},  # no whole number of 64 pixels
      {'resolution': 0.0},
      {'resolution': 2.0},
    ],
  )
  def test_refuses(self, options):
    with pytest.raises(ValueError):
      masks.random_region(make_keys(1), (8, 8), **options)
