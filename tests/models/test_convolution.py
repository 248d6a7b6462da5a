"""The ways that a convolution takes on a CPU, by what a convolution is."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import lax
from jax import numpy as jnp

from inpaintax.models import convolution

LAYOUT = ('NHWC', 'HWIO', 'NHWC')
ONE, TWO, EDGE = (1, 1), (2, 2), ((1, 1), (1, 1))
ASKEW, FAR = ((2, 0), (1, 4)), ((3, 3), (4, 1))
# Images, kernel, strides, padding, dilation.
CASES = {
  'outputs': ((4, 8, 10, 6), (3, 3, 6, 5), ONE, 'SAME', ONE),
  'outputs, askew': ((4, 8, 9, 6), (3, 5, 6, 6), ONE, ASKEW, ONE),
  'outputs, dilated': ((4, 9, 8, 5), (3, 3, 5, 5), ONE, 'SAME', (2, 3)),
  'outputs, no edge': ((4, 9, 8, 5), (3, 3, 5, 2), ONE, 'VALID', ONE),
  # An edge wider than the kernel, whose outermost outputs see no pixel.
  'outputs, far': ((4, 9, 11, 8), (3, 3, 8, 7), ONE, FAR, ONE),
  'inputs': ((4, 8, 10, 3), (3, 3, 3, 7), ONE, 'SAME', ONE),
  'inputs, strided': ((4, 11, 9, 3), (4, 5, 3, 2), (2, 3), 'SAME', ONE),
  'inputs, dilated': ((8, 9, 9, 2), (3, 3, 2, 4), TWO, 'VALID', (2, 1)),
  'cells': ((24, 6, 10, 9), (4, 4, 9, 10), TWO, EDGE, ONE),
  'cells, odd': ((24, 7, 10, 9), (4, 4, 9, 10), TWO, EDGE, ONE),
  'few inputs': ((2, 6, 10, 8), (3, 3, 8, 9), ONE, EDGE, ONE),
  'few inputs, strided': ((3, 8, 10, 3), (4, 4, 3, 6), TWO, EDGE, ONE),
  'few inputs, askew': ((2, 11, 9, 1), (4, 5, 1, 6), (2, 3), ASKEW, ONE),
  'to few': ((2, 8, 10, 6), (3, 3, 6, 3), ONE, 'SAME', ONE),
  'to few, askew': ((2, 8, 9, 6), (3, 5, 6, 1), ONE, ASKEW, ONE),
  'to few, dilated': ((2, 9, 8, 5), (2, 3, 5, 2), ONE, FAR, (2, 3)),
  'few places': ((1, 4, 4, 9), (3, 3, 9, 9), ONE, 'SAME', ONE),
}


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
  monkeypatch.setattr(convolution, '_LEAST', 1)


def numbers(*shape, seed=0):
  draws = np.random.default_rng(seed).normal(size=shape)
  return jnp.asarray(draws, jnp.float32)


def drawn(name):
  """(images, kernel, ours, that of `lax`), both of images and kernel."""
  image, kernel, strides, pads, dilation = CASES[name]
  ours = lambda x, k: convolution.convolve(
    x, k, strides, pads, rhs_dilation=dilation
  )
  plain = lambda x, k: lax.conv_general_dilated(
    x, k, strides, pads, rhs_dilation=dilation, dimension_numbers=LAYOUT
  )
  return numbers(*image), numbers(*kernel, seed=1), ours, plain


@pytest.mark.parametrize('name', CASES)
def test_the_gradients_are_adjoint_to_the_convolution(name):
  x, kernel, ours, plain = drawn(name)
  wanted = plain(x, kernel)
  # Without derivatives, and with them.
  for found in (ours(x, kernel), jax.vjp(ours, x, kernel)[0]):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
  weights = numbers(*wanted.shape, seed=2)
  total = lambda x, kernel: (weights * ours(x, kernel)).sum()
  of_x, of_kernel = jax.jit(jax.grad(total, (0, 1)))(x, kernel)
  for seed in (3, 4):
    other = numbers(*x.shape, seed=seed)
    np.testing.assert_allclose(
      (of_x * other).sum(), (weights * plain(other, kernel)).sum(), rtol=1e-3
    )
    other = numbers(*kernel.shape, seed=seed)
    np.testing.assert_allclose(
      (of_kernel * other).sum(), (weights * plain(x, other)).sum(), rtol=1e-3
    )


@pytest.mark.parametrize(
  'name', ['outputs', 'inputs', 'cells', 'to few', 'few places']
)
def test_gradients_have_gradients_both_ways(name):
  x, kernel, *ways = drawn(name)

  def slope(convolve):
    """The squared norm of a gradient, as gradient penalties have it."""
    total = lambda x, kernel: jnp.sin(convolve(x, kernel)).sum()
    return lambda x, k: sum((g**2).sum() for g in jax.grad(total, (0, 1))(x, k))

  found = [
    (
      *jax.grad(slope(way), (0, 1))(x, kernel),
      jax.jvp(slope(way), (x, kernel), (x, kernel))[1],
    )
    for way in ways
  ]
  for ours, plain in zip(*found, strict=True):
    scale = float(abs(plain).max())
    np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize(
  ('name', 'by_products'),
  [
    ('few inputs', True),
    ('few inputs, strided', True),
    ('to few', True),
    ('few places', False),
    ('cells', False),
  ],
)
def test_few_channels_are_products_where_derivatives_are_taken(
  name, by_products
):
  x, kernel, ours, _ = drawn(name)
  forward = lambda x, kernel: jax.vjp(ours, x, kernel)[0]
  made = str(jax.make_jaxpr(forward)(x, kernel))
  assert ('conv_general_dilated' not in made) == by_products
  halves = (x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
  assert 'conv_general_dilated' in str(jax.make_jaxpr(forward)(*halves))


@pytest.mark.parametrize(
  'options',
  [
    {'strides': 2},
    {'kernel_dilation': 2, 'padding': 'VALID'},
    # Left to `lax`.
    {'feature_group_count': 2},
    {'input_dilation': 2, 'padding': ((2, 1), (1, 1))},
    {'precision': 'highest'},
  ],
)
def test_the_layer_is_that_of_flax(options):
  x = numbers(2, 9, 8, 4)
  ours, plain = (
    layer(6, (3, 3), **options) for layer in (convolution.Conv, nn.Conv)
  )
  variables = plain.init(jax.random.key(0), x)
  mine = ours.init(jax.random.key(0), x)
  jax.tree.map(np.testing.assert_array_equal, mine, variables)
  total = lambda layer: lambda v: jnp.sin(layer.apply(v, x)).sum()
  for a, b in zip(
    jax.tree.leaves(jax.value_and_grad(total(ours))(variables)),
    jax.tree.leaves(jax.value_and_grad(total(plain))(variables)),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_layers_of_no_name_are_called_as_those_of_flax():
  named = lambda layer: nn.Sequential([layer(2, (1, 1))]).init(
    jax.random.key(0), numbers(1, 2, 2, 1)
  )
  assert jax.tree.structure(named(convolution.Conv)) == jax.tree.structure(
    named(nn.Conv)
  )


@pytest.mark.parametrize(('bound', 'beside'), [('_MOST', -1), ('_LEAST', 1)])
def test_what_is_too_large_or_too_small_is_left_to_xla(
  monkeypatch, bound, beside
):
  x, kernel, ours, _ = drawn('outputs')
  total = lambda x, kernel: ours(x, kernel).sum()
  made = lambda: str(jax.make_jaxpr(jax.grad(total, (0, 1)))(x, kernel))
  size = 4 * 8 * 10 * 9 * 5
  monkeypatch.setattr(convolution, bound, size)
  assert 'concatenate' in made()
  monkeypatch.setattr(convolution, bound, size + beside)
  assert 'concatenate' not in made()
