"""What a hole takes over from known patches."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.models import attention

HOLE = (slice(6, 14), slice(10, 18))
SIZE = (24, 28)


def numbers(*shape, seed=0):
  draws = np.random.default_rng(seed).normal(size=shape)
  return jnp.asarray(draws, jnp.float32)


def start(batch=1, channels=4):
  """(values, mask): noise, of which no two patches are alike; one hole."""
  mask = jnp.zeros((batch, *SIZE, 1)).at[:, HOLE[0], HOLE[1]].set(1.0)
  return numbers(batch, *SIZE, channels), mask


FUNCTIONS = {
  'shift': attention.shift,
  'attend': lambda *args: attention.attend(*args, sharpness=200.0),
}


@pytest.mark.parametrize('name', FUNCTIONS)
@pytest.mark.parametrize('offset', [(10, -8), (0, 10), (-6, -10)])
def test_a_copy_of_a_known_part_is_found_at_its_exact_place(name, offset):
  values, mask = start()
  # What is thought to be in the hole is what lies `offset` away from it.
  there = jnp.roll(values, (-offset[0], -offset[1]), (1, 2))
  queries = jnp.where(mask > 0, there, values)
  found = FUNCTIONS[name](queries, values * (1 - mask), mask)
  # Whose patches, and those laid over them, are of the copy alone.
  inner = np.s_[:, 9:11, 13:15]
  np.testing.assert_allclose(found[inner], there[inner], atol=1e-4)


@pytest.mark.parametrize('name', FUNCTIONS)
def test_nothing_depends_on_what_lies_in_the_hole_of_the_values(name):
  values, mask = start(2)
  queries = numbers(*values.shape, seed=1)
  run = jax.jit(FUNCTIONS[name])
  hidden = mask > 0
  expected = run(queries, jnp.where(hidden, 0, values), mask)
  for value in (7.0, -100.0):
    found = run(queries, jnp.where(hidden, value, values), mask)
    np.testing.assert_allclose(found, expected, atol=1e-6)
  slope = jax.grad(lambda v: jnp.square(run(queries, v, mask)).sum())(values)
  assert not slope[:, HOLE[0], HOLE[1]].any() and slope.any()


def test_weights_sum_to_one_up_to_the_border():
  values, mask = start()
  ones = jnp.ones_like(values)
  found = attention.attend(values, ones, mask, sharpness=3.0)
  np.testing.assert_allclose(found, ones, rtol=1e-5)


def test_known_places_keep_their_own_value_when_shifted():
  values, mask = start()
  queries = numbers(*values.shape, seed=1)
  found = attention.shift(queries, values, mask)
  np.testing.assert_array_equal(
    jnp.where(mask > 0, 0, found), jnp.where(mask > 0, 0, values)
  )
  # What is in the hole is known somewhere, whole.
  known = {v.tobytes() for v in np.asarray(values)[0][mask[0, ..., 0] == 0]}
  assert all(
    v.tobytes() in known for v in np.asarray(found)[0][mask[0, ..., 0] > 0]
  )


def test_a_shift_is_the_brute_force_search():
  values, mask = start()
  queries = numbers(*values.shape, seed=1)
  found = np.asarray(attention.shift(queries, values, mask))[0]
  pad = lambda x: np.pad(np.asarray(x)[0], ((1, 1), (1, 1), (0, 0)))
  q, v, m = pad(queries), pad(jnp.where(mask > 0, 0, values)), pad(mask)
  at = lambda x, r, c: x[r : r + 3, c : c + 3].ravel()
  unit = lambda x: x / np.linalg.norm(x)
  places = [p for p in np.ndindex(*SIZE) if not at(m, *p).any()]
  keys = np.stack([unit(at(v, *p)) for p in places])
  for place in [(6, 10), (9, 13), (13, 17)]:
    best = places[int(np.argmax(keys @ unit(at(q, *place))))]
    np.testing.assert_array_equal(found[place], np.asarray(values)[0][best])


@pytest.mark.parametrize('name', FUNCTIONS)
def test_each_image_is_attended_alone_and_one_without_anything_known_is_0(name):
  values, mask = start(2)
  mask = mask.at[1].set(1.0)
  queries = numbers(*values.shape, seed=1)
  run = FUNCTIONS[name]
  found = run(queries, values, mask)
  np.testing.assert_allclose(
    found[:1], run(queries[:1], values[:1], mask[:1]), atol=1e-4
  )
  assert not found[1].any()
  slope = jax.grad(lambda q: run(q, values, mask).sum())(queries)
  assert jnp.isfinite(slope).all()


def test_attention_has_the_gradient_of_its_queries():
  values, mask = start(channels=2)
  values, queries = values[:, :12, :12], numbers(1, 12, 12, 2, seed=1)
  mask = mask[:, 4:16, 6:18]
  with jax.enable_x64(True):
    values, queries, mask = (
      jnp.asarray(np.asarray(x), jnp.float64) for x in (values, queries, mask)
    )
    weight = jnp.asarray(np.random.default_rng(3).normal(size=values.shape))
    loss = lambda q: (attention.attend(q, values, mask) * weight).sum()
    way = jnp.asarray(np.random.default_rng(4).normal(size=values.shape))
    measured = (loss(queries + 1e-5 * way) - loss(queries - 1e-5 * way)) / 2e-5
    found = (jax.grad(loss)(queries) * way).sum()
    np.testing.assert_allclose(found, measured, rtol=1e-6)


@pytest.mark.parametrize('backward', [False, True])
def test_an_image_of_512_pixels_fits_into_four_gigabytes(backward):
  # Of all its pixels, compared at every fourth.
  x = jax.ShapeDtypeStruct((1, 512, 512, 8), jnp.float32)
  mask = jax.ShapeDtypeStruct((1, 512, 512, 1), jnp.float32)
  run = lambda q, v, m: attention.attend(q, v, m, rate=4).sum()
  if backward:
    run = jax.grad(run, (0, 1))
  memory = jax.jit(run).lower(x, x, mask).compile().memory_analysis()
  assert memory.temp_size_in_bytes < 4e9


def test_what_does_not_fit_is_refused():
  values, mask = start()
  with pytest.raises(ValueError, match='odd'):
    attention.shift(values, values, mask, patch=2)
  with pytest.raises(ValueError, match='multiples of 5'):
    attention.attend(values, values, mask, rate=5)
  with pytest.raises(AssertionError):
    attention.shift(values[:, :4], values, mask)
