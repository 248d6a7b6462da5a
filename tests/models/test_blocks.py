import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.models import blocks, resampling


def numbers(*shape, seed=0):
  draws = np.random.default_rng(seed).normal(size=shape)
  return jnp.asarray(draws, jnp.float32)


def mask_of(size, rows, columns):
  """A mask `[1, H, W, 1]` with one rectangular hole, of two slices."""
  return jnp.zeros((1, *size, 1)).at[:, rows, columns].set(1.0)


def corner(mask, side):
  return blocks.block_corners(mask, side)[0].tolist()


@pytest.mark.parametrize('size, side', [((8, 12), (4, 6)), ((9, 7), (3, 5))])
def test_the_center_crop_leaves_the_same_rest_on_both_sides(size, side):
  x = numbers(2, *size, 3)
  top, left = (size[0] - side[0]) // 2, (size[1] - side[1]) // 2
  np.testing.assert_array_equal(
    blocks.center_crop(x, side), x[:, top:-top, left:-left]
  )
  assert blocks.center_crop(x, size).shape == x.shape


@pytest.mark.parametrize('side', [(10, 4), (4, 10), (3, 4), (4, 3)])
def test_the_center_crop_refuses_what_has_no_centre(side):
  with pytest.raises(ValueError, match='no exact centre'):
    blocks.center_crop(numbers(1, 8, 8, 3), side)


def test_the_block_of_a_centred_hole_is_centred():
  for size, side, overlap in [
    ((64, 64), 32, 2),
    ((9, 9), 5, 1),
    ((8, 8), 8, 2),
  ]:
    top = (size[0] - side) // 2
    inner = slice(top + overlap, top + side - overlap)
    assert corner(mask_of(size, inner, inner), (side, side)) == [top, top]


def test_a_hole_of_one_pixel_has_its_block_around_it_or_at_the_border():
  height, width = 7, 9
  places = [(y, x) for y in range(height) for x in range(width)]
  mask = np.zeros((len(places), height, width, 1), np.float32)
  for i, (y, x) in enumerate(places):
    mask[i, y, x] = 1
  found = blocks.block_corners(jnp.asarray(mask), (3, 5))
  np.testing.assert_array_equal(
    found,
    [(min(max(y - 1, 0), 4), min(max(x - 2, 0), 4)) for y, x in places],
  )
  assert found.dtype == jnp.int32


@pytest.mark.parametrize('side', [(4, 6), (5, 5)])
def test_a_hole_that_fits_is_in_its_block_wherever_it_is(side):
  size, holes = (9, 10), []
  for tall in range(1, side[0] + 1):
    for top in range(size[0] - tall + 1):
      for wide in range(1, side[1] + 1):
        left = (3 * top + 5 * tall + wide) % (size[1] - wide + 1)
        holes.append(((top, left), (top + tall, left + wide)))
  mask = np.zeros((len(holes), *size, 1), np.float32)
  for i, ((top, left), (bottom, right)) in enumerate(holes):
    mask[i, top:bottom, left:right] = 1
  first = np.asarray(blocks.block_corners(jnp.asarray(mask), side))
  start, end = np.array([h[0] for h in holes]), np.array([h[1] for h in holes])
  assert (first <= start).all() and (end <= first + side).all()
  assert (first >= 0).all() and (first + side <= size).all()
  # As near to the centre as half a pixel, where no border is in the way.
  free = ((0 < first) & (first + side < size)).all(1)
  off = np.abs((start + end) / 2 - (first + np.array(side) / 2))
  assert free.any() and off[free].max() <= 0.5


def test_several_holes_have_their_block_around_all_of_them():
  mask = mask_of((16, 16), slice(2, 3), slice(9, 11))
  mask = jnp.maximum(mask, mask_of((16, 16), slice(7, 8), slice(4, 5)))
  # Rows 2 to 7, columns 4 to 10: their middle is at 5, 7.5.
  assert corner(mask, (8, 8)) == [1, 3]


def test_an_image_without_a_hole_has_its_block_in_the_centre():
  assert corner(jnp.zeros((1, 8, 12, 1)), (4, 4)) == [2, 4]
  assert corner(jnp.zeros((1, 9, 9, 1)), (5, 3)) == [2, 3]


def test_a_block_larger_than_the_image_is_refused():
  for side in [(9, 4), (4, 9)]:
    with pytest.raises(ValueError, match='does not fit'):
      blocks.block_corners(jnp.zeros((1, 8, 8, 1)), side)


def test_cut_takes_each_image_at_its_own_place():
  x = numbers(3, 6, 7, 2)
  corners = jnp.array([[0, 0], [1, 3], [3, 4]])
  expected = [x[i, y : y + 3, z : z + 3] for i, (y, z) in enumerate(corners)]
  np.testing.assert_array_equal(blocks.cut(x, corners, (3, 3)), expected)


def test_paste_is_the_reverse_of_cut():
  x, corners = numbers(3, 6, 7, 2), jnp.array([[0, 0], [1, 3], [3, 4]])
  block = blocks.cut(x, corners, (3, 3))
  np.testing.assert_array_equal(blocks.paste(x, block, corners), x)
  other = numbers(3, 3, 3, 2, seed=1)
  pasted = blocks.paste(x, other, corners)
  np.testing.assert_array_equal(blocks.cut(pasted, corners, (3, 3)), other)
  assert (pasted != x).sum() == other.size  # And nothing outside the block.


DOWN = {'padding': ((1, 1), (1, 1)), 'use_bias': False}
WIDE = {'padding': ((2, 2), (2, 2))}


@pytest.mark.parametrize(
  ('ours', 'plain', 'shape'),
  [
    (
      resampling.UpConv(6),
      nn.ConvTranspose(6, (4, 4), (2, 2), use_bias=False),
      (2, 3, 5, 4),
    ),
    # On a CPU by cells, and both ways out of it.
    (resampling.DownConv(6), nn.Conv(6, (4, 4), 2, **DOWN), (2, 6, 10, 4)),
    (resampling.DownConv(6), nn.Conv(6, (4, 4), 2, **DOWN), (2, 6, 10, 3)),
    (resampling.DownConv(65), nn.Conv(65, (4, 4), 2, **DOWN), (2, 6, 10, 4)),
    (resampling.WideDownConv(6), nn.Conv(6, (5, 5), 2, **WIDE), (2, 6, 10, 4)),
    (
      resampling.WideDownConv(6, use_bias=False),
      nn.Conv(6, (5, 5), 2, use_bias=False, **WIDE),
      (2, 8, 4, 3),
    ),
  ],
)
def test_our_convolutions_are_those_of_flax_with_their_gradients(
  ours, plain, shape
):
  x = numbers(*shape)
  variables = plain.init(jax.random.key(0), x)
  mine = ours.init(jax.random.key(0), x)
  jax.tree.map(np.testing.assert_array_equal, mine, variables)
  weights = numbers(*plain.apply(variables, x).shape, seed=1)

  def value_and_grads(module):
    total = lambda v, x: (weights * module.apply(v, x)).sum()
    apply = jax.jit(module.apply), jax.jit(jax.grad(total, argnums=(0, 1)))
    return [f(variables, x) for f in apply]

  for a, b in zip(
    jax.tree.leaves(value_and_grads(ours)),
    jax.tree.leaves(value_and_grads(plain)),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_up_conv_is_the_adjoint_of_the_strided_convolution():
  down = nn.Conv(5, (4, 4), 2, padding=((1, 1), (1, 1)), use_bias=False)
  x, y = numbers(2, 8, 6, 3), numbers(2, 4, 3, 5, seed=1)
  kernel = numbers(4, 4, 3, 5, seed=2)
  # The same weights seen from the other end: turned about, channels swapped.
  turned = kernel[::-1, ::-1].swapaxes(2, 3)
  left = (down.apply({'params': {'kernel': kernel}}, x) * y).sum()
  right = (
    x * resampling.UpConv(3).apply({'params': {'kernel': turned}}, y)
  ).sum()
  np.testing.assert_allclose(left, right, rtol=1e-5)


def channelwise(x, kernel):
  return blocks.ChannelwiseDense().apply({'params': {'kernel': kernel}}, x)


def test_channelwise_dense_with_identities_is_the_identity():
  x = numbers(2, 3, 4, 5)
  kernel = jnp.broadcast_to(jnp.eye(12), (5, 12, 12))
  np.testing.assert_allclose(channelwise(x, kernel), x, rtol=1e-6)


def test_channelwise_dense_is_a_block_diagonal_dense_layer():
  x, kernel = numbers(2, 3, 4, 5), numbers(5, 12, 12, seed=1)
  # Position and channel together are one index of 60.
  full = np.zeros((12, 5, 12, 5), np.float32)
  for c in range(5):
    full[:, c, :, c] = kernel[c]
  expected = np.asarray(x).reshape(2, 60) @ full.reshape(60, 60)
  np.testing.assert_allclose(
    channelwise(x, kernel).reshape(2, 60), expected, rtol=1e-4, atol=1e-5
  )


def test_a_channel_of_channelwise_dense_sees_no_other():
  x, kernel = numbers(1, 2, 3, 4), numbers(4, 6, 6, seed=1)
  changed = channelwise(x.at[..., 2].add(1.0), kernel)
  same = np.asarray(changed == channelwise(x, kernel)).all((0, 1, 2))
  np.testing.assert_array_equal(same, [True, True, False, True])


@pytest.mark.parametrize(
  'm, n, weights', [(256, 6, 331_776), (512, 4, 131_072)]
)
def test_channelwise_dense_has_m_n_to_the_fourth_weights(m, n, weights):
  init = lambda: blocks.ChannelwiseDense().init(
    jax.random.key(0), jnp.zeros((1, n, n, m))
  )
  assert sum(x.size for x in jax.tree.leaves(jax.eval_shape(init))) == weights
