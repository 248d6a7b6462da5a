"""Poisson blending against what is known in closed form."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.restore import blending

blend = jax.jit(blending.poisson)
MASK = jnp.zeros((1, 20, 24, 1)).at[:, 5:15, 4:20].set(1.0)


def images(seed=0):
  return jax.random.uniform(jax.random.key(seed), (1, 20, 24, 3))


def ramp():
  y, x = jnp.meshgrid(jnp.arange(20.0), jnp.arange(24.0), indexing='ij')
  return jnp.stack([x / 24, y / 20, (x - 2 * y) / 60], -1)[None]


def test_an_image_blended_into_itself_is_itself():
  np.testing.assert_allclose(blend(images(), images(), MASK), images())


def test_a_flat_source_fills_a_ramp_exactly():
  found = blend(jnp.full_like(ramp(), 0.3), ramp(), MASK)
  np.testing.assert_allclose(found, ramp(), atol=1e-5)


def test_a_constant_is_taken_off_and_the_detail_kept():
  found = blend(images() + 0.25, images(), MASK)
  np.testing.assert_allclose(found, images(), atol=1e-5)


def test_the_laplacian_inside_is_the_sources():
  source, target = images(1), images(2)
  found = np.asarray(blend(source, target, MASK))
  around = lambda x: (
    x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
  )
  laplacian = lambda x: around(x) - 4 * x[:, 1:-1, 1:-1]
  # At missing pixels all of whose neighbours are missing the target has no say;
  # next to the edge the source's known pixels count as they are in the source.
  inside = np.s_[:, 5:13, 4:18]
  np.testing.assert_allclose(
    laplacian(found)[inside], laplacian(np.asarray(source))[inside], atol=1e-4
  )
  outside = np.broadcast_to(np.asarray(MASK) == 0, found.shape)
  np.testing.assert_array_equal(found[outside], np.asarray(target)[outside])


def test_a_hole_at_the_border_takes_what_it_has():
  mask = jnp.zeros((1, 20, 24, 1)).at[:, :8].set(1.0)
  found = blend(images() - 0.5, images(), mask)
  np.testing.assert_allclose(found, images(), atol=1e-4)


def test_without_known_pixels_the_source_stays():
  found = blend(images(1), images(2), jnp.ones_like(MASK))
  np.testing.assert_array_equal(found, images(1))


def test_not_across_the_edge_the_sources_known_pixels_have_no_say():
  flat = jax.jit(lambda *args: blending.poisson(*args, across=False))
  source = jnp.where(MASK > 0, 0.3, images(1))
  np.testing.assert_allclose(flat(source, ramp(), MASK), ramp(), atol=1e-5)
  # And a constant added to the fill none either.
  other = jnp.where(MASK > 0, images(2) + 0.4, 0.0)
  np.testing.assert_allclose(
    flat(other, ramp(), MASK), flat(images(2), ramp(), MASK), atol=1e-5
  )


def test_wrong_shapes_are_refused():
  with pytest.raises(AssertionError):
    blending.poisson(images(), images()[:, :5], MASK)
  with pytest.raises(AssertionError):
    blending.poisson(images(), images(), MASK[:, :5])
