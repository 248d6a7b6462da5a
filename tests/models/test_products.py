"""A layer whose products of bfloat16 a CPU makes at its own rate."""

import functools

import jax
import numpy as np
import pytest
from arrays import whole
from flax import linen as nn
from jax import numpy as jnp
from jax.extend import core as extended

from inpaintax.models.products import Dense

on_cpu = pytest.mark.skipif(
  jax.default_backend() != 'cpu', reason='elsewhere it is nn.Dense'
)


def both_ways(x, kernel, bias, pull, dtype=jnp.bfloat16):
  """(values, gradients of x, kernel and bias), float32."""

  def apply(x, kernel, bias):
    params = {'kernel': kernel, 'bias': bias}
    return Dense(kernel.shape[1], dtype=dtype).apply({'params': params}, x)

  y, back = jax.vjp(apply, x, kernel, bias)
  found = (y, *back(pull.astype(y.dtype)))
  return [part.astype(jnp.float32) for part in found]


@pytest.mark.parametrize('shape', [(1, 1, 1), (5, 9, 3), (64, 144, 40)])
def test_sums_of_whole_numbers_are_exact_but_for_one_rounding(shape):
  b, c, f = shape
  x, kernel = whole(b, c), whole(c, f, seed=1)
  bias, pull = whole(f, seed=2), whole(b, f, seed=3)
  *found, of_bias = jax.jit(both_ways)(x, kernel, bias, pull)
  wanted = x @ kernel + bias[None], pull @ kernel.T, x.T @ pull
  for one, other in zip(found, wanted, strict=True):
    rounded = other.astype(jnp.bfloat16).astype(jnp.float32)
    np.testing.assert_array_equal(one, rounded)
  np.testing.assert_array_equal(of_bias, pull.sum(0))


def test_sums_are_rounded_once():
  """One and 256 numbers of 1/256: a sum in bfloat16 would stay at 1."""
  x = jnp.full((1, 257), 1 / 256).at[0, 0].set(1.0)
  y, *_ = both_ways(x, jnp.ones((257, 1)), jnp.ones(1), jnp.ones((1, 1)))
  assert y == 3


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('options', [{}, {'use_bias': False}])
def test_it_has_the_parameters_and_values_of_flax(dtype, options):
  x = jax.random.normal(jax.random.key(0), (3, 2, 40))
  ours, flax = (
    kind(30, dtype=dtype, bias_init=nn.initializers.normal(), **options)
    for kind in (Dense, nn.Dense)
  )
  variables = ours.init(jax.random.key(1), x)
  jax.tree.map(
    np.testing.assert_array_equal, variables, flax.init(jax.random.key(1), x)
  )
  y, wanted = ours.apply(variables, x), flax.apply(variables, x)
  assert y.dtype == wanted.dtype == dtype and y.shape == (3, 2, 30)
  # Flax rounds before it adds the bias.
  np.testing.assert_allclose(y, wanted, atol=0.04 * (dtype == jnp.bfloat16))


def test_examples_side_by_side_or_one_by_one():
  x, kernel, bias = whole(4, 6, 9), whole(9, 5, seed=1), whole(5)
  pull = whole(4, 6, 5, seed=2)
  way = lambda x, pull: both_ways(x, kernel, bias, pull)
  beside = jax.jit(jax.vmap(way))(x, pull)
  _, after = jax.lax.scan(lambda _, one: (_, way(*one)), 0, (x, pull))
  jax.tree.map(np.testing.assert_array_equal, beside, after)


def test_gradients_have_derivatives_in_forward_mode():
  x, kernel = whole(4, 6) / 8, whole(6, 5, seed=1) / 8
  bias, pull = whole(5, seed=2) / 8, whole(4, 5, seed=3)
  slope = lambda x: both_ways(x, kernel, bias, pull)[1]
  # It is linear: its gradient is the same everywhere.
  found = jax.jvp(slope, (x,), (x,))[1]
  np.testing.assert_array_equal(found, jnp.zeros_like(x))


@on_cpu
@pytest.mark.parametrize('dtype', [jnp.bfloat16, 'bfloat16'])
def test_each_product_is_one_that_a_cpu_has_instructions_for(dtype):
  shapes = [(8, 12), (12, 10), (10,), (8, 10)]
  traced = jax.make_jaxpr(functools.partial(both_ways, dtype=dtype))(
    *[jnp.ones(shape) for shape in shapes]
  )
  dots = [
    eqn
    for eqn in _equations(traced.jaxpr)
    if eqn.primitive.name == 'dot_general'
  ]
  assert len(dots) == 3
  for dot in dots:
    assert {of.aval.dtype for of in dot.invars} == {jnp.dtype(jnp.bfloat16)}
    assert dot.outvars[0].aval.dtype == jnp.float32
    (left, _), _ = dot.params['dimension_numbers']
    assert left == (1,)


def _equations(jaxpr):
  for eqn in jaxpr.eqns:
    yield eqn
    for inner in extended.jaxprs_in_params(eqn.params):
      yield from _equations(inner)
