"""A convolution of a map that is repeated: with fewer products, the same."""

import jax
import numpy as np
import pytest
from arrays import whole
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.models import resampling


def plain(x, *joined, **options):
  """What Flax makes of it, with parameters."""
  large = x.repeat(2, axis=1).repeat(2, axis=2)
  layer = nn.Conv(5, (3, 3), **options)
  return lambda params: layer.apply(
    {'params': params}, jnp.concatenate([large, *joined], -1)
  )


@pytest.mark.parametrize('size', [(4, 4), (3, 5), (1, 2), (1, 1)])
@pytest.mark.parametrize('joined', [(), (3,), (2, 1)])
@pytest.mark.parametrize('use_bias', [True, False])
def test_values_and_gradients_are_those_of_a_repeated_map(
  size, joined, use_bias
):
  height, width = size
  x = whole(2, *size, 4)
  others = [
    whole(2, 2 * height, 2 * width, channels, seed=i)
    for i, channels in enumerate(joined, 1)
  ]
  layer = resampling.ResizeConv(5, use_bias=use_bias)
  drawn = layer.init(jax.random.key(0), x, *others)['params']
  wanted = nn.Conv(5, (3, 3), use_bias=use_bias).init(
    jax.random.key(0), jnp.zeros((1, 3, 3, 4 + sum(joined)))
  )['params']
  jax.tree.map(np.testing.assert_array_equal, drawn, wanted)
  params = jax.tree.map(lambda p: whole(*p.shape, seed=9), drawn)
  ours = lambda params, *maps: layer.apply({'params': params}, *maps)
  theirs = lambda params, *maps: plain(*maps, use_bias=use_bias)(params)
  given = (params, x, *others)
  found, mine = jax.vjp(ours, *given)
  right, back = jax.vjp(theirs, *given)
  np.testing.assert_array_equal(found, right)
  grad = whole(*right.shape, seed=7)
  jax.tree.map(np.testing.assert_array_equal, mine(grad), back(grad))


def test_gradients_have_gradients():
  x, kernel = whole(2, 3, 4, 4) / 8, whole(3, 3, 4, 5, seed=1) / 8
  layer = resampling.ResizeConv(5, use_bias=False)

  def slopes(total):
    slope = jax.grad(total)
    norm = lambda x: (slope(x) ** 2).sum()
    return jax.grad(norm)(x), jax.jvp(slope, (x,), (x,))[1]

  params = {'kernel': kernel}
  found = slopes(lambda x: jnp.sin(layer.apply({'params': params}, x)).sum())
  wanted = slopes(lambda x: jnp.sin(plain(x, use_bias=False)(params)).sum())
  for one, other in zip(found, wanted, strict=True):
    scale = float(abs(other).max())
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * scale)


def test_of_no_images_there_are_no_outputs():
  layer = resampling.ResizeConv(5)
  y, _ = layer.init_with_output(jax.random.key(0), jnp.zeros((0, 4, 4, 3)))
  assert y.shape == (0, 8, 8, 5)


@pytest.mark.parametrize('shape', [(1, 8, 8, 3), (2, 1, 8, 3), (2, 8, 7, 3)])
def test_maps_that_do_not_match_are_refused(shape):
  layer = resampling.ResizeConv(5)
  with pytest.raises(ValueError, match=r'cannot be joined to \(2, 4, 4, 8\)'):
    layer.init(jax.random.key(0), jnp.zeros((2, 4, 4, 8)), jnp.zeros(shape))


@pytest.mark.parametrize(
  ('dtype', 'repeats'), [('float32', 0), ('bfloat16', 1)]
)
def test_half_precision_is_left_as_it_is(dtype, repeats):
  layer = resampling.ResizeConv(5, dtype=jnp.dtype(dtype))
  x = whole(2, 4, 4, 4)
  variables = layer.init(jax.random.key(0), x)
  made = str(jax.make_jaxpr(layer.apply)(variables, x))
  assert made.count('conv_general_dilated[') == repeats
  assert layer.apply(variables, x).dtype == dtype
