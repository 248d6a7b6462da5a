"""What is trained with fewer multiplications, and that it stays the same."""

import jax
import numpy as np
import pytest
from arrays import whole
from flax import linen as nn
from jax import lax
from jax import numpy as jnp

from inpaintax.models import convolution, fewer, resampling

LAYOUT = ('NHWC', 'HWIO', 'NHWC')


def takes_fewer(function, *given):
  """Whether its gradients are made so; only then are sums kept from use."""
  total = lambda *given: function(*given).sum()
  both = jax.make_jaxpr(jax.grad(total, (0, 1)))(*given)
  return 'optimization_barrier' in str(both)


def assert_same_with_gradients(ours, theirs, *given):
  """To the bit, but for what 3x3 kernels have large tiles for."""
  wanted, back = jax.vjp(theirs, *given)
  found, mine = jax.vjp(ours, *given)
  grad = whole(*wanted.shape, seed=2)
  (of_x, of_kernel), (mine_x, mine_kernel) = back(grad), mine(grad)
  far = 4e-6 if len(given[1]) == 3 else 0
  for one, other in zip(
    (found, mine_x, mine_kernel), (wanted, of_x, of_kernel), strict=True
  ):
    np.testing.assert_allclose(
      one, other, rtol=0, atol=far * float(abs(other).max())
    )


# Sides of the image, padding, dilation, whether it comes apart.
DILATED = [
  ((8, 12), ((2, 2), (2, 2)), (2, 2), True),
  ((6, 8), ((3, 3), (4, 4)), (3, 4), True),
  ((8, 6), ((0, 4), (-2, 6)), (2, 2), True),
  ((8, 6), ((2, 2), (1, 1)), (2, 1), True),
  ((7, 8), ((2, 2), (2, 2)), (2, 2), False),
  ((8, 9), ((2, 2), (2, 2)), (2, 2), False),
  ((8, 8), ((1, 2), (2, 2)), (2, 2), False),
  ((8, 8), ((2, 2), (2, 1)), (2, 2), False),
]


@pytest.mark.parametrize(('size', 'pads', 'dilation', 'may'), DILATED)
def test_a_dilated_kernel_sees_phases(monkeypatch, size, pads, dilation, may):
  monkeypatch.setattr(fewer, '_WORTH', 1)
  x, kernel = whole(2, *size, 16), whole(3, 3, 16, 32, seed=1)
  ours = lambda x, k: convolution.convolve(
    x, k, (1, 1), pads, rhs_dilation=dilation
  )
  theirs = lambda x, k: lax.conv_general_dilated(
    x, k, (1, 1), pads, rhs_dilation=dilation, dimension_numbers=LAYOUT
  )
  assert takes_fewer(ours, x, kernel) == may
  assert_same_with_gradients(ours, theirs, x, kernel)


def up(features):
  module = resampling.UpConv(features)
  return lambda x, kernel: module.apply({'params': {'kernel': kernel}}, x)


def plain_up(features):
  module = nn.ConvTranspose(features, (4, 4), (2, 2), use_bias=False)
  return lambda x, kernel: module.apply({'params': {'kernel': kernel}}, x)


# Batch and sides, channels, features, whether there is something to gain.
UPS = [
  ((2, 4, 6), 8, 12, True),
  ((1, 5, 3), 12, 8, True),
  ((3, 1, 2), 8, 8, True),
  ((2, 4, 4), 7, 8, False),
  ((2, 4, 4), 8, 7, False),
]


@pytest.mark.parametrize(('size', 'channels', 'features', 'may'), UPS)
def test_transposed_convolutions_of_whole_numbers_are_exact(
  monkeypatch, size, channels, features, may
):
  x = whole(*size, channels)
  kernel = whole(4, 4, channels, features, seed=1)
  work = 16 * x.size * features
  assert not takes_fewer(up(features), x, kernel)
  monkeypatch.setattr(fewer, '_WORTH', work + 1)
  assert not takes_fewer(up(features), x, kernel)
  monkeypatch.setattr(fewer, '_WORTH', work)
  assert takes_fewer(up(features), x, kernel) == may
  assert_same_with_gradients(up(features), plain_up(features), x, kernel)
  most = 4 * x.size // channels * features
  monkeypatch.setattr(fewer, '_MOST_OUTPUTS', most - 1)
  assert not takes_fewer(up(features), x, kernel)
  monkeypatch.setattr(fewer, '_MOST_OUTPUTS', most)
  assert takes_fewer(up(features), x, kernel) == may


def by(way, stride, pad, dilation):
  how = (stride, stride), ((pad, pad), (pad, pad))
  return lambda x, kernel: way(
    x, kernel, *how, rhs_dilation=(dilation,) * 2, dimension_numbers=LAYOUT
  )


@pytest.mark.parametrize(
  ('side', 'how'), [(3, (1, 1, 1)), (3, (1, 2, 2)), (4, (2, 1, 1)), (4, None)]
)
def test_gradients_have_gradients_both_ways(monkeypatch, side, how):
  monkeypatch.setattr(fewer, '_WORTH', 1)
  x = whole(3, 2, 6, 6, 32) / 8
  kernel = whole(side, side, 32, 16, seed=1) / 64
  ways = (
    [by(convolution.convolve, *how), by(lax.conv_general_dilated, *how)]
    if how
    else [up(16), plain_up(16)]
  )
  assert takes_fewer(ways[0], x[0], kernel)

  def found(convolve):
    total = lambda x, k: jnp.sin(convolve(x, k)).sum()
    slope = jax.grad(total, 1)
    norm = lambda k: (slope(x[0], k) ** 2).sum()
    return (
      jax.grad(norm)(kernel),
      jax.jvp(lambda k: slope(x[0], k), (kernel,), (kernel,))[1],
      # Of each image its own.
      jax.vmap(slope, (0, None))(x, kernel),
    )

  for ours, theirs in zip(*map(found, ways), strict=True):
    scale = float(abs(theirs).max())
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * scale)


# Kernel, strides, channels, features, whether there is something to gain.
WAYS = [
  (3, 1, 16, 32, True),
  (3, 1, 32, 16, True),
  (3, 1, 16, 16, False),
  (3, 1, 8, 64, False),
  (4, 2, 8, 4, True),
  (4, 2, 3, 64, False),
  (3, 2, 32, 32, False),
  (5, 1, 32, 32, False),
]


@pytest.mark.parametrize(
  ('side', 'stride', 'channels', 'features', 'may'), WAYS
)
def test_where_there_is_much_to_multiply_training_takes_it(
  monkeypatch, side, stride, channels, features, may
):
  x = whole(2, 8, 8, channels)
  kernel = whole(side, side, channels, features, seed=1)
  pads = ((1, 1), (1, 1))
  ours = lambda x, k: convolution.convolve(x, k, (stride, stride), pads)
  theirs = lambda x, k: lax.conv_general_dilated(
    x, k, (stride, stride), pads, dimension_numbers=LAYOUT
  )
  outputs = jax.eval_shape(theirs, x, kernel).size
  work = outputs * side**2 * channels
  taken = lambda: takes_fewer(ours, x, kernel)
  assert not taken()
  monkeypatch.setattr(fewer, '_WORTH', work)
  assert taken() == may
  assert_same_with_gradients(ours, theirs, x, kernel)
  # Without gradients there is no time to win a longer compilation back.
  assert 'concatenate' not in str(jax.make_jaxpr(ours)(x, kernel))
  monkeypatch.setattr(fewer, '_MOST_OUTPUTS', outputs - 1)
  assert not taken()
  monkeypatch.setattr(fewer, '_MOST_OUTPUTS', outputs)
  monkeypatch.setattr(fewer, '_WORTH', work + 1)
  assert not taken()


@pytest.mark.parametrize('size', [(7, 8), (8, 7)])
def test_an_odd_side_has_no_cells(monkeypatch, size):
  monkeypatch.setattr(fewer, '_WORTH', 1)
  x, kernel = whole(2, *size, 8), whole(4, 4, 8, 4, seed=1)
  pads = ((1, 1), (1, 1))
  ours = lambda x, k: convolution.convolve(x, k, (2, 2), pads).sum()
  theirs = lambda x, k: lax.conv_general_dilated(
    x, k, (2, 2), pads, dimension_numbers=LAYOUT
  ).sum()
  for a, b in zip(
    jax.grad(ours, (0, 1))(x, kernel),
    jax.grad(theirs, (0, 1))(x, kernel),
    strict=True,
  ):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
  ('side', 'size', 'stride', 'pad', 'dilation', 'may'),
  [
    (3, (4, 4), 1, 0, 1, True),
    (3, (3, 8), 1, 0, 1, False),
    (3, (8, 3), 1, 0, 1, False),
    (3, (4, 8), 1, 2, 2, True),
    (3, (2, 8), 1, 2, 2, False),
    (4, (4, 4), 2, 1, 1, True),
    (4, (2, 8), 2, 1, 1, False),
  ],
)
def test_an_output_alone_is_not_worth_a_tile(
  monkeypatch, side, size, stride, pad, dilation, may
):
  monkeypatch.setattr(fewer, '_WORTH', 1)
  x, kernel = whole(2, *size, 32), whole(side, side, 32, 32, seed=1)
  ours = by(convolution.convolve, stride, pad, dilation)
  assert takes_fewer(ours, x, kernel) == may


def test_half_precision_is_left_alone(monkeypatch):
  monkeypatch.setattr(fewer, '_WORTH', 1)
  x, kernel = whole(2, 8, 8, 32), whole(3, 3, 32, 32, seed=1)
  half = lambda a: a.astype(jnp.bfloat16)
  ours = lambda x, k: convolution.convolve(x, k, (1, 1), 'SAME').sum()
  made = jax.make_jaxpr(jax.grad(ours, (0, 1)))
  assert 'optimization_barrier' in str(made(x, kernel))
  assert 'optimization_barrier' not in str(made(half(x), half(kernel)))
