"""What is unknown, from what is known around it."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.models.pull_push import pull_push


def images(side=12, channels=2):
  return jax.random.normal(jax.random.key(0), (3, side, side, channels))


def known(side=12, share=0.3):
  draw = jax.random.uniform(jax.random.key(1), (3, side, side, 1))
  return (draw < share).astype(jnp.float32)


def test_what_is_known_stays_as_it_is():
  given, mask = images(), known()
  found = pull_push(given, mask)
  np.testing.assert_array_equal(found * mask, given * mask)
  np.testing.assert_array_equal(pull_push(given, jnp.ones_like(mask)), given)


def test_what_is_unknown_does_not_matter():
  given, mask = images(), known()
  for value in (1e6, jnp.nan):
    other = jnp.where(mask > 0, given, value)
    np.testing.assert_array_equal(
      pull_push(other, mask), pull_push(given, mask)
    )


def test_a_missing_pixel_of_four_is_the_mean_of_the_others():
  given = jnp.array([[1.0, 5.0], [9.0, 1e6]])[None, ..., None]
  mask = jnp.array([[1.0, 1.0], [1.0, 0.0]])[None, ..., None]
  np.testing.assert_allclose(pull_push(given, mask)[0, 1, 1, 0], 5, rtol=1e-6)


@pytest.mark.parametrize('side', [12, 32, 7])
def test_a_constant_image_is_the_same_wherever_something_is_known(side):
  given = jnp.full((3, side, side, 2), 3.5)
  found = pull_push(given, known(side))
  # Of an odd side nothing is halved: then each pixel is its own.
  expected = 3.5 if side % 2 == 0 else 3.5 * known(side)
  np.testing.assert_allclose(
    found, np.broadcast_to(expected, found.shape), rtol=1e-6
  )


def test_one_known_pixel_is_everywhere():
  mask = jnp.zeros((1, 16, 16, 1)).at[0, 3, 11].set(1)
  given = jax.random.normal(jax.random.key(2), (1, 16, 16, 1))
  np.testing.assert_allclose(
    pull_push(given, mask),
    jnp.full((1, 16, 16, 1), given[0, 3, 11, 0]),
    rtol=1e-5,
  )


def test_near_pixels_count_and_far_ones_do_not():
  # A dark half and a bright one, and a line missing in the middle of each.
  given = jnp.where(jnp.arange(32) < 16, -1.0, 1.0)
  given = jnp.broadcast_to(given[None, None, :, None], (1, 32, 32, 1))
  mask = jnp.ones((1, 32, 32, 1)).at[:, :, jnp.array([8, 24])].set(0)
  np.testing.assert_allclose(pull_push(given, mask), given, rtol=1e-6)


def test_mirrored_images_are_filled_as_their_mirrors():
  given, mask = images(), known()
  found = pull_push(given[:, :, ::-1], mask[:, :, ::-1])[:, :, ::-1]
  np.testing.assert_allclose(found, pull_push(given, mask), atol=1e-6)


def test_of_nothing_known_it_is_0_and_has_finite_gradients():
  given, mask = images(), jnp.zeros_like(known())
  np.testing.assert_array_equal(pull_push(given, mask), 0)
  grads = jax.grad(lambda *x: pull_push(*x).sum(), (0, 1))(given, mask)
  assert all(np.isfinite(x).all() for x in grads)


def test_shapes_that_do_not_fit_are_refused():
  with pytest.raises(AssertionError):
    pull_push(images(), known(8))
