import math

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.corruptions import noise

KEYS = jax.random.split(jax.random.key(0), 2)
GREY = jnp.zeros((2, 512, 512, 1))


@pytest.mark.parametrize(
  'sigma, psnr', [(15, 24.6090), (25, 20.1720), (50, 14.1514), (100, 8.1308)]
)
def test_gaussian_noise_has_its_psnr_on_the_scale_of_255(sigma, psnr):
  noisy = np.asarray(noise.gaussian(KEYS, GREY, sigma=sigma))
  # On a peak-to-peak range of 2, with four deviations of the estimate.
  found = 10 * math.log10(4 / np.mean(np.square(noisy)))
  assert abs(found - psnr) < 4 * 4.34 * math.sqrt(2 / noisy.size)


def test_gaussian_noise_is_not_clipped_and_white():
  noisy = np.asarray(noise.gaussian(KEYS, GREY + 1, sigma=50))[..., 0] - 1
  assert noisy.max() > 1 and abs(noisy.mean()) < 4 * 50 / 127.5 / 724
  for moved in (np.roll(noisy, 1, 1), np.roll(noisy, 1, 2), noisy[::-1]):
    assert abs(np.corrcoef(noisy.ravel(), moved.ravel())[0, 1]) < 0.006


def test_each_image_may_have_its_own_sigma():
  noisy = noise.gaussian(KEYS, GREY, sigma=jnp.array([0.0, 10.0]))
  assert not noisy[0].any()
  assert abs(127.5 * float(noisy[1].std()) - 10) < 0.1


def test_a_raw_key_is_not_taken_for_the_keys_of_two_images():
  with pytest.raises(AssertionError, match='typed'):
    noise.gaussian(jax.random.PRNGKey(0), GREY, sigma=5)


@pytest.mark.parametrize('share', [0.0, 0.1, 0.5, 1.0])
def test_salt_and_pepper_hits_its_share_in_all_channels(share):
  images = jnp.full((2, 256, 256, 3), 0.25)
  hit = np.asarray(noise.salt_and_pepper(KEYS, images, share=share))
  assert set(np.unique(hit)) <= {-1.0, 0.25, 1.0}
  assert (hit == hit[..., :1]).all()
  for value in (-1, 1):
    assert abs((hit == value).mean() - share / 2) < 0.01


@pytest.mark.parametrize('share', [0.0, 0.3, 1.0])
def test_missing_pixels_are_a_mask_of_their_share(share):
  mask = noise.missing_pixels(KEYS, GREY, share=share)
  assert mask.shape == GREY.shape and mask.dtype == jnp.float32
  assert set(np.unique(mask)) <= {0.0, 1.0}
  assert abs(float(mask.mean()) - share) < 0.01


@pytest.mark.parametrize(
  'corrupt',
  [
    lambda keys, images: noise.gaussian(keys, images, sigma=25),
    lambda keys, images: noise.salt_and_pepper(keys, images, share=0.2),
    lambda keys, images: noise.missing_pixels(keys, images, share=0.2),
  ],
)
def test_a_samples_noise_depends_on_its_own_key_alone(corrupt):
  images = GREY[:, :16, :16]
  both = corrupt(KEYS, images)
  alone = corrupt(KEYS[1:], images[1:])
  np.testing.assert_allclose(alone, both[1:], atol=1e-6)
  np.testing.assert_allclose(jax.jit(corrupt)(KEYS, images), both, atol=1e-6)
  assert (both[0] != both[1]).any()
  with pytest.raises(AssertionError):
    corrupt(KEYS[:1], images)


@pytest.mark.parametrize('sigma', [-25, float('nan')])
def test_a_sigma_below_nothing_is_refused(sigma):
  with pytest.raises(ValueError, match='sigma must not be negative'):
    noise.gaussian(KEYS, GREY, sigma=sigma)


def test_shares_outside_of_one_are_refused():
  for share in (-0.1, 1.1):
    for corrupt in (noise.salt_and_pepper, noise.missing_pixels):
      with pytest.raises(ValueError, match='share'):
        corrupt(KEYS, GREY, share=share)
