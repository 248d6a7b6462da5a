import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.data.augment import augment

COUNT = 400
IMAGES = jax.random.uniform(jax.random.key(1), (COUNT, 6, 7, 3), minval=-0.5)
KEYS = jax.random.split(jax.random.key(0), COUNT)


def run(images=IMAGES, **options):
  return np.asarray(
    jax.jit(lambda k, x: augment(k, x, **options))(KEYS, images)
  )


def test_without_options_nothing_changes():
  np.testing.assert_array_equal(run(), IMAGES)


def test_a_shift_is_a_part_of_the_mirrored_image_and_all_are_as_likely():
  found = run(shift=2)
  counts = np.zeros((5, 5), int)
  for old, new in zip(np.asarray(IMAGES), found, strict=True):
    wide = np.pad(old, ((2, 2), (2, 2), (0, 0)), mode='reflect')
    (place,) = [
      (y, x)
      for y in range(5)
      for x in range(5)
      if (wide[y : y + 6, x : x + 7] == new).all()
    ]
    counts[place] += 1
  # 16 each: six deviations, 24, are far.
  assert counts.min() >= 1 and counts.max() < 40


@pytest.mark.parametrize('name', ['shift_share', 'color_share'])
def test_a_share_is_one(name):
  options = {'shift': 5, 'shift_share': 0.0, 'color_share': 0.0} | {name: 0.25}
  changed = (run(**options) != np.asarray(IMAGES)).any((1, 2, 3)).mean()
  assert 0.17 < changed < 0.33


def test_colours_change_places_keep():
  images = jnp.broadcast_to(IMAGES[:, :, :, :1], IMAGES.shape)
  found = run(images, color_share=1.0)
  assert found.min() >= -1 and found.max() <= 1
  # What is grey becomes an increasing function of it in each channel.
  for old, new in zip(np.asarray(images), found, strict=True):
    order = old[..., 0].ravel().argsort()
    assert (np.diff(new.reshape(-1, 3)[order], axis=0) >= -1e-6).all()
  tint = found - found.mean(-1, keepdims=True)
  assert np.abs(tint).max() > 0.05


def test_half_of_the_new_colours_have_their_channels_in_another_order():
  # Red alone: after it, which channel is the highest?
  red = jnp.zeros_like(IMAGES).at[:, :3, :, 0].set(1.0)
  found = run(red, color_share=1.0)
  spread = found[:, :3].mean((1, 2)) - found[:, 3:].mean((1, 2))
  moved = (spread.argmax(1) != 0).mean()
  # Two thirds of half of them.
  assert 0.25 < moved < 0.42


def test_options_out_of_range_are_refused():
  for options in ({'shift': 6}, {'shift': -1}, {'color_share': 1.5}):
    with pytest.raises(ValueError, match=next(iter(options))):
      augment(KEYS, IMAGES, **options)
  with pytest.raises(AssertionError):
    augment(KEYS[:3], IMAGES)
