"""Convolutions that know the hole."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.models import hole_convs


def numbers(*shape, seed=0):
  draws = np.random.default_rng(seed).normal(size=shape)
  return jnp.asarray(draws, jnp.float32)


def mask_of(batch, size, rows, columns):
  return jnp.zeros((batch, *size, 1)).at[:, rows, columns].set(1.0)


def start(module, *inputs):
  """Variables, biases among them that are not 0."""
  variables = module.init(jax.random.key(0), *inputs)
  return jax.tree.map(
    lambda x: x if x.ndim > 1 else numbers(*x.shape, seed=3), variables
  )


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('kernel', [3, 5])
def test_without_a_hole_it_is_a_plain_convolution_up_to_the_border(
  stride, kernel
):
  x, mask = numbers(2, 8, 10, 3), jnp.zeros((2, 8, 10, 1))
  module = hole_convs.PartialConv(4, kernel, stride)
  variables = start(module, x, mask)
  found, left = module.apply(variables, x, mask)
  params = variables['params']
  plain = nn.Conv(4, (kernel, kernel), stride)
  expected = plain.apply(
    {'params': params['conv'] | {'bias': params['bias']}}, x
  )
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
  assert left.shape == (*found.shape[:3], 1) and not left.any()


def test_where_nothing_is_known_nothing_comes_out():
  x, mask = numbers(1, 9, 9, 2), jnp.ones((1, 9, 9, 1))
  module = hole_convs.PartialConv(3)
  found, left = module.apply(start(module, x, mask), x, mask)
  assert not found.any() and left.all()


def test_what_is_missing_has_no_influence_even_if_it_is_no_number():
  mask = mask_of(2, (9, 9), slice(2, 6), slice(3, 7))
  x = numbers(2, 9, 9, 3)
  module = hole_convs.PartialConv(4)
  variables = start(module, x, mask)
  expected = module.apply(variables, x, mask)
  for value in (100.0, np.nan):
    found = module.apply(variables, jnp.where(mask > 0, value, x), mask)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_the_sum_is_scaled_to_a_whole_window():
  # Ones, and a kernel of ones: every window with a known pixel sums to its
  # whole size.
  mask = mask_of(1, (7, 7), slice(1, 4), slice(2, 5))
  x = jnp.ones((1, 7, 7, 2))
  module = hole_convs.PartialConv(
    1, use_bias=False, kernel_init=nn.initializers.ones
  )
  found, left = module.apply(module.init(jax.random.key(0), x, mask), x, mask)
  size = nn.avg_pool(jnp.ones((1, 7, 7, 1)), (3, 3), padding='SAME') * 9 * 2
  np.testing.assert_allclose(found, size * (1 - left), rtol=1e-6)
  assert left.sum() == 1 and left[0, 2, 3, 0] == 1


@pytest.mark.parametrize('kernel', [3, 5])
def test_a_hole_shrinks_by_half_a_window_at_each_layer(kernel):
  hole = slice(4, 13)
  x, mask = numbers(1, 17, 17, 2), mask_of(1, (17, 17), hole, hole)
  module = hole_convs.PartialConv(2, kernel)
  for layer in (1, 2):
    x, mask = module.apply(start(module, x, mask), x, mask)
    reach = layer * (kernel // 2)
    inner = slice(4 + reach, 13 - reach)
    expected = mask_of(1, (17, 17), inner, inner)
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(('logit', 'opened'), [(1e4, 1.0), (-1e4, 0.0)])
def test_a_gate_is_open_or_shut(logit, opened):
  x = numbers(2, 6, 6, 3)
  module = hole_convs.GatedConv(4, stride=2, dilation=1)
  variables = start(module, x)
  conv = variables['params']['conv']
  conv['bias'] = conv['bias'].at[4:].set(logit)
  found = module.apply(variables, x)
  plain = nn.Conv(8, (3, 3), 2).apply({'params': conv}, x)[..., :4]
  np.testing.assert_allclose(found, opened * nn.elu(plain), rtol=1e-5)


def test_an_enlarged_map_is_one_that_is_repeated():
  x = numbers(2, 3, 5, 3)
  module = hole_convs.GatedConv(4, enlarge=True)
  variables = start(module, x)
  large = x.repeat(2, axis=1).repeat(2, axis=2)
  np.testing.assert_allclose(
    module.apply(variables, x),
    hole_convs.GatedConv(4).apply(variables, large),
    rtol=1e-5,
    atol=1e-5,
  )


@pytest.mark.parametrize(
  'options', [{'kernel': 5}, {'stride': 2}, {'dilation': 2}]
)
def test_other_windows_over_an_enlarged_map_are_refused(options):
  module = hole_convs.GatedConv(4, enlarge=True, **options)
  with pytest.raises(ValueError, match='3x3'):
    module.init(jax.random.key(0), numbers(2, 4, 4, 3))


def test_masks_of_other_sizes_are_refused():
  x = numbers(1, 6, 6, 3)
  for mask in (jnp.zeros((1, 6, 6, 3)), jnp.zeros((1, 5, 6, 1))):
    with pytest.raises(AssertionError):
      hole_convs.PartialConv(2).init(jax.random.key(0), x, mask)


@pytest.mark.parametrize('name', ['partial', 'gated'])
def test_bfloat16_is_for_computing_only(name):
  x, mask = numbers(1, 6, 6, 3), jnp.zeros((1, 6, 6, 1))
  if name == 'partial':
    module = hole_convs.PartialConv(2, dtype=jnp.bfloat16)
    (found, _), variables = module.init_with_output(jax.random.key(0), x, mask)
  else:
    module = hole_convs.GatedConv(2, dtype=jnp.bfloat16)
    found, variables = module.init_with_output(jax.random.key(0), x)
  assert found.dtype == jnp.bfloat16
  assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
