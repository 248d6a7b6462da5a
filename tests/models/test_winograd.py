"""Fewer multiplications: on whole numbers, to the bit what many give."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

from inpaintax.models import convolution, winograd

LAYOUT = ('NHWC', 'HWIO', 'NHWC')
# Sides of the kernel, of the image, padding: outputs of even and odd sides,
# askew, beyond the kernel's reach, cropped.
CASES = [
  (3, (6, 8), ((1, 1), (1, 1))),
  (3, (7, 6), ((1, 1), (0, 2))),
  (3, (5, 4), ((0, 0), (3, 4))),
  (3, (9, 8), ((-1, 0), (1, -2))),
  (2, (5, 7), ((0, 0), (0, 0))),
  (2, (6, 5), ((1, 0), (1, 1))),
  (2, (4, 6), ((2, 3), (-1, 0))),
]


def whole(*shape, seed=0):
  """Small ones: sums of their products, and halves of them, are exact."""
  draws = np.random.default_rng(seed).integers(-8, 9, shape)
  return jnp.asarray(draws, jnp.float32)


def plain(x, kernel, pads):
  return lax.conv_general_dilated(
    x, kernel, (1, 1), pads, dimension_numbers=LAYOUT
  )


@pytest.mark.parametrize(('side', 'size', 'pads'), CASES)
@pytest.mark.parametrize(('channels', 'features'), [(3, 5), (4, 2)])
def test_values_and_gradients_of_whole_numbers_are_exact(
  side, size, pads, channels, features
):
  x = whole(2, *size, channels)
  kernel = whole(side, side, channels, features, seed=1)
  wanted, back = jax.vjp(lambda x, k: plain(x, k, pads), x, kernel)
  found = winograd.convolve(x, kernel, pads)
  np.testing.assert_array_equal(found, wanted)
  grad = whole(*wanted.shape, seed=2)
  mine = winograd.gradients(x, kernel, grad, pads)
  for ours, theirs in zip(mine, back(grad), strict=True):
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(('side', 'stride'), [(3, 1), (4, 2)])
def test_gradients_have_gradients_both_ways(monkeypatch, side, stride):
  monkeypatch.setattr(convolution, '_WORTH', 1)
  x = whole(3, 2, 6, 6, 32) / 8
  kernel = whole(side, side, 32, 16, seed=1) / 64
  how = (stride, stride), ((1, 1), (1, 1))
  ways = (
    lambda x, k: convolution.convolve(x, k, *how),
    lambda x, k: lax.conv_general_dilated(x, k, *how, dimension_numbers=LAYOUT),
  )

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


def test_errors_are_within_a_millionth_of_the_largest():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(4, 16, 16, 64)).astype(np.float32)
  kernel = rng.normal(size=(3, 3, 64, 64)).astype(np.float32)
  pads = ((1, 1), (1, 1))
  exact = np.zeros((4, 16, 16, 64))
  padded = np.pad(x.astype(np.float64), ((0, 0), *pads, (0, 0)))
  for i in range(3):
    for j in range(3):
      exact += padded[:, i : i + 16, j : j + 16] @ kernel[i, j]
  error = abs(np.asarray(winograd.convolve(x, kernel, pads)) - exact).max()
  assert error < 2e-6 * abs(exact).max()


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
  wanted, back = jax.vjp(theirs, x, kernel)
  work = wanted.size * side**2 * channels
  fewer = lambda: (
    'optimization_barrier'
    in str(
      jax.make_jaxpr(lambda x, k: jax.vjp(ours, x, k)[1](wanted))(x, kernel)
    )
  )
  assert not fewer()
  monkeypatch.setattr(convolution, '_WORTH', work)
  assert fewer() == may
  found, mine = jax.vjp(ours, x, kernel)
  np.testing.assert_array_equal(found, wanted)
  for a, b in zip(mine(wanted), back(wanted), strict=True):
    np.testing.assert_array_equal(a, b)
  # Without gradients there is no time to win a longer compilation back.
  assert 'concatenate' not in str(jax.make_jaxpr(ours)(x, kernel))
  monkeypatch.setattr(convolution, '_MOST_OUTPUTS', wanted.size - 1)
  assert not fewer()
  monkeypatch.setattr(convolution, '_MOST_OUTPUTS', wanted.size)
  monkeypatch.setattr(convolution, '_WORTH', work + 1)
  assert not fewer()


@pytest.mark.parametrize('size', [(7, 8), (8, 7)])
def test_an_odd_side_has_no_cells(monkeypatch, size):
  monkeypatch.setattr(convolution, '_WORTH', 1)
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


def test_half_precision_is_left_alone(monkeypatch):
  monkeypatch.setattr(convolution, '_WORTH', 1)
  x, kernel = whole(2, 8, 8, 32), whole(3, 3, 32, 32, seed=1)
  half = lambda a: a.astype(jnp.bfloat16)
  ours = lambda x, k: convolution.convolve(x, k, (1, 1), 'SAME').sum()
  made = jax.make_jaxpr(jax.grad(ours, (0, 1)))
  assert 'optimization_barrier' in str(made(x, kernel))
  assert 'optimization_barrier' not in str(made(half(x), half(kernel)))
