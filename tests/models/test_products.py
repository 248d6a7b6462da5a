"""A dense layer of columns: each of its products in a CPU's fastest form."""

import functools
import re

import jax
import numpy as np
import pytest
from arrays import whole
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.models.products import ColumnDense

on_cpu = pytest.mark.skipif(
  jax.default_backend() != 'cpu', reason='elsewhere XLA chooses'
)
both = pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])


def both_ways(x, kernel, bias, pull, dtype=jnp.bfloat16):
  """(values, gradients of x, kernel and bias), float32."""

  def apply(x, kernel, bias):
    params = {'kernel': kernel, 'bias': bias}
    layer = ColumnDense(kernel.shape[1], dtype=dtype)
    return layer.apply({'params': params}, x)

  y, back = jax.vjp(apply, x, kernel, bias)
  found = (y, *back(pull.astype(y.dtype)))
  return [part.astype(jnp.float32) for part in found]


@both
@pytest.mark.parametrize(
  'shape', [(1, 1, 1), (5, 9, 3), (64, 144, 40), (0, 4, 3)]
)
def test_sums_of_whole_numbers_are_exact_but_for_one_rounding(shape, dtype):
  b, c, f = shape
  x, kernel = whole(c, b), whole(c, f, seed=1)
  bias, pull = whole(f, seed=2), whole(f, b, seed=3)
  found = jax.jit(functools.partial(both_ways, dtype=dtype))(
    x, kernel, bias, pull
  )
  rounded = [kernel.T @ x + bias[:, None], kernel @ pull]
  rounded = [part.astype(dtype).astype(jnp.float32) for part in rounded]
  # Gradients of parameters are not rounded.
  wanted = *rounded, x @ pull.T, pull.sum(1)
  jax.tree.map(np.testing.assert_array_equal, tuple(found), wanted)


@on_cpu
def test_sums_are_rounded_once():
  """One and 256 numbers of 1/256: a sum in bfloat16 would stay at 1."""
  x = jnp.full((257, 1), 1 / 256).at[0, 0].set(1.0)
  y, *_ = both_ways(x, jnp.ones((257, 1)), jnp.ones(1), jnp.ones((1, 1)))
  assert y == 3


@both
def test_it_has_the_parameters_and_values_of_flax(dtype):
  x = jax.random.normal(jax.random.key(0), (40, 6))
  options = {'dtype': dtype, 'bias_init': nn.initializers.normal()}
  ours, flax = ColumnDense(30, **options), nn.Dense(30, **options)
  variables = ours.init(jax.random.key(1), x)
  jax.tree.map(
    np.testing.assert_array_equal, variables, flax.init(jax.random.key(1), x.T)
  )
  y, wanted = ours.apply(variables, x), flax.apply(variables, x.T).T
  assert y.dtype == wanted.dtype == dtype and y.shape == (30, 6)
  # Flax rounds before it adds the bias.
  limit = 1e-6 if dtype == jnp.float32 else 0.04
  np.testing.assert_allclose(y, wanted, atol=limit)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16, jnp.float64])
@pytest.mark.parametrize('held', [jnp.float32, jnp.bfloat16, jnp.float64])
def test_gradients_have_the_types_of_what_they_are_of(dtype, held):
  with jax.enable_x64(True):
    x, kernel, bias = (
      whole(*shape).astype(held) for shape in [(4, 3), (4, 5), (5,)]
    )
    layer = ColumnDense(5, dtype=dtype)
    apply = lambda params, x: layer.apply({'params': params}, x)
    params = {'kernel': kernel, 'bias': bias}
    y, back = jax.vjp(apply, params, x)
    found = back(jnp.ones_like(y))
  assert y.dtype == dtype
  assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(held)}


@both
def test_examples_side_by_side_or_one_by_one(dtype):
  x, kernel, bias = whole(4, 9, 6), whole(9, 5, seed=1), whole(5)
  pull = whole(4, 5, 6, seed=2)
  way = lambda x, pull: both_ways(x, kernel, bias, pull, dtype)
  beside = jax.jit(jax.vmap(way))(x, pull)
  _, after = jax.lax.scan(lambda _, one: (_, way(*one)), 0, (x, pull))
  jax.tree.map(np.testing.assert_array_equal, beside, after)


@both
def test_gradients_have_derivatives_in_forward_mode(dtype):
  x, kernel = whole(6, 4) / 8, whole(6, 5, seed=1) / 8
  bias, pull = whole(5, seed=2) / 8, whole(5, 4, seed=3)
  slopes = lambda x: both_ways(x, kernel, bias, pull, dtype)[1:]
  of_x, of_kernel, of_bias = jax.jvp(slopes, (x,), (x,))[1]
  # Of the layer's gradients the kernel's alone depends on x, linearly.
  np.testing.assert_array_equal(of_x, jnp.zeros_like(x))
  np.testing.assert_array_equal(of_kernel, x @ pull.T)
  np.testing.assert_array_equal(of_bias, jnp.zeros_like(bias))


def test_forward_and_reverse_mode_agree():
  x, layer = whole(6, 4) / 8, ColumnDense(5)
  variables = layer.init(jax.random.key(0), x)
  outputs = lambda variables, x: jnp.tanh(layer.apply(variables, x))
  forward, reverse = (
    way(outputs, argnums=(0, 1))(variables, x)
    for way in (jax.jacfwd, jax.jacrev)
  )
  close = functools.partial(np.testing.assert_allclose, atol=1e-6)
  jax.tree.map(close, forward, reverse)


@on_cpu
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16, 'bfloat16'])
def test_each_product_has_the_form_that_a_cpu_is_fast_at(dtype):
  shapes = [(128, 96), (128, 112), (112,), (112, 96)]
  compiled = jax.jit(functools.partial(both_ways, dtype=dtype))
  text = compiled.lower(*map(jnp.ones, shapes)).compile().as_text()
  types = dict(re.findall(r'(%[\w.]+) = (\w+)\[', text))
  products = re.findall(
    r'= (\w+)\S+ dot\((\S+), (\S+)\), lhs_contracting_dims=\{(\d)\}', text
  )
  kind = 'f32' if dtype == jnp.float32 else 'bf16'
  assert len(products) == 3
  for of, left, right, summed in products:
    assert (of, types[left], types[right], summed) == ('f32', kind, kind, '1')
