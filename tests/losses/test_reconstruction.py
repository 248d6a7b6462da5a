import functools

import chex
import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.losses import reconstruction

INSIDE = [reconstruction.masked_l2, reconstruction.masked_l1]
LOSSES = [*INSIDE, reconstruction.overlap_l2]


def hole_of(count, shape=(1, 4, 6, 1)):
  """A mask with `count` missing pixels, not next to each other."""
  mask = np.zeros(int(np.prod(shape)), np.float32)
  mask[np.random.default_rng(0).permutation(mask.size)[:count]] = 1
  return jnp.asarray(mask.reshape(shape))


def center_hole(side, overlap):
  mask = jnp.zeros((1, side, side, 1))
  inner = slice(overlap, side - overlap)
  return mask.at[:, inner, inner].set(1.0)


def random_case(dtype=np.float64):
  rng = np.random.default_rng(1)
  prediction, target = rng.uniform(-1, 1, (2, 3, 4, 6, 3))
  mask = rng.uniform(size=(3, 4, 6, 1)) < 0.4
  mask[2] = 0  # One image without a hole.
  return prediction.astype(dtype), target.astype(dtype), mask.astype(dtype)


class GoldenTest(chex.TestCase):
  @chex.variants(with_jit=True, without_jit=True)
  def test_by_hand(self):
    target = jnp.array([[0.0, 1.0], [-1.0, 2.0]]).reshape(1, 2, 2, 1)
    all_missing = jnp.ones((1, 2, 2, 1))
    one_missing = all_missing.at[:, 0].set(0.0).at[:, 1, 0].set(0.0)
    l2 = self.variant(reconstruction.masked_l2)
    l1 = self.variant(reconstruction.masked_l1)
    # (0 + 1 + 1 + 4) / 4 and (0 + 1 + 1 + 2) / 4, then the corner with 2.
    np.testing.assert_allclose(l2(0 * target, target, all_missing), [1.5])
    np.testing.assert_allclose(l1(0 * target, target, all_missing), [1.0])
    np.testing.assert_allclose(l2(0 * target, target, one_missing), [4.0])
    np.testing.assert_allclose(l1(0 * target, target, one_missing), [2.0])


@pytest.mark.parametrize('loss', INSIDE)
@pytest.mark.parametrize('missing', [1, 7, 24])
def test_an_error_of_one_in_the_hole_costs_one_whatever_its_area(loss, missing):
  mask = hole_of(missing)
  target = jnp.ones((1, 4, 6, 3))
  np.testing.assert_allclose(loss(0 * target, target, mask), [1.0], rtol=1e-6)
  # Wrong in the hole alone: the share of the hole in the whole image.
  whole = loss(target * (1 - mask), target, jnp.ones_like(mask))
  np.testing.assert_allclose(whole, [missing / 24], rtol=1e-6)


@pytest.mark.parametrize('loss', INSIDE)
def test_the_gradient_is_zero_outside_the_hole_and_not_inside(loss):
  prediction, target, mask = random_case(np.float32)
  grad = jax.grad(lambda x: loss(x, target, mask).sum())(prediction)
  inside = np.broadcast_to(mask, grad.shape) == 1
  assert not np.asarray(grad)[~inside].any()
  assert np.asarray(grad)[inside].all()


def test_the_gradient_of_l2_is_the_error_over_the_area():
  prediction, target, mask = random_case(np.float32)
  grad = jax.grad(lambda x: reconstruction.masked_l2(x, target, mask).sum())(
    prediction
  )
  area = np.maximum(mask.sum((1, 2, 3), keepdims=True), 1) * 3
  np.testing.assert_allclose(
    grad, 2 * mask * (prediction - target) / area, rtol=1e-5, atol=1e-8
  )


@pytest.mark.parametrize('loss', INSIDE)
def test_an_image_without_a_hole_costs_nothing_and_pulls_nowhere(loss):
  prediction, target = jnp.ones((1, 4, 6, 3)), jnp.zeros((1, 4, 6, 3))
  value, grad = jax.value_and_grad(
    lambda x: loss(x, target, jnp.zeros((1, 4, 6, 1))).sum()
  )(prediction)
  assert value == 0
  np.testing.assert_array_equal(grad, 0.0)


@pytest.mark.parametrize('overlap, mean', [(4, 3.109375), (7, 4.506836)])
def test_a_constant_error_on_a_block_costs_what_the_authors_have_it_cost(
  overlap, mean
):
  target = jnp.full((1, 64, 64, 3), 0.5)
  loss = reconstruction.overlap_l2(
    target - 0.3, target, center_hole(64, overlap)
  )
  np.testing.assert_allclose(loss, [0.09 * mean], rtol=1e-5)


def test_an_error_on_one_known_pixel_costs_ten_times_one_in_the_hole():
  target = jnp.zeros((1, 8, 8, 3))
  mask = center_hole(8, 2)
  cost = lambda row: reconstruction.overlap_l2(
    target.at[0, row, 4, 1].set(1.0), target, mask
  )
  np.testing.assert_allclose(cost(4), [1 / 192], rtol=1e-6)
  np.testing.assert_allclose(cost(0), [10 / 192], rtol=1e-6)


def test_the_ends_of_the_known_weight_are_the_hole_alone_and_the_plain_mean():
  prediction, target, mask = map(jnp.asarray, random_case(np.float32))
  loss = functools.partial(reconstruction.overlap_l2, prediction, target, mask)
  share = mask.mean((1, 2, 3))
  hole = share * reconstruction.masked_l2(prediction, target, mask)
  np.testing.assert_allclose(loss(known_weight=0.0), hole, rtol=1e-5)
  plain = jnp.square(prediction - target).mean((1, 2, 3))
  np.testing.assert_allclose(loss(known_weight=1.0), plain, rtol=1e-6)
  for weight in (-1.0, float('inf'), float('nan')):
    with pytest.raises(ValueError, match='known_weight'):
      loss(known_weight=weight)


@pytest.mark.parametrize('loss', LOSSES)
def test_the_gradient_is_that_of_finite_differences(loss):
  with jax.enable_x64(True):
    prediction, target, mask = map(jnp.asarray, random_case())
    assert prediction.dtype == jnp.float64
    total = jax.jit(lambda x: loss(x, target, mask).sum())
    grad = jax.grad(total)(prediction)
    for seed in range(5):
      along = np.random.default_rng(seed).normal(size=prediction.shape)
      step = 1e-5 * along
      slope = (total(prediction + step) - total(prediction - step)) / 2e-5
      exact = float((grad * along).sum())
      assert abs(float(slope) - exact) < 1e-6 * abs(exact)


@pytest.mark.parametrize('loss', LOSSES)
def test_a_part_of_a_batch_costs_what_it_costs_in_the_batch(loss):
  prediction, target, mask = random_case(np.float32)
  whole = loss(prediction, target, mask)
  chex.assert_shape(whole, (3,))
  for i in range(3):
    part = slice(i, i + 1)
    alone = loss(prediction[part], target[part], mask[part])
    np.testing.assert_allclose(alone, whole[part], rtol=1e-6)


@pytest.mark.parametrize('loss', LOSSES)
def test_wrong_shapes_and_types_are_refused(loss):
  x, mask = jnp.ones((2, 4, 4, 3)), jnp.ones((2, 4, 4, 1))
  assert loss(x, x, mask).shape == (2,)
  for wrong in [
    (x, x, x),  # A mask of three channels.
    (x, x, mask[:1]),  # One mask for the batch.
    (x, x, mask[..., 0]),
    (x, x[:1], mask),
    (x[0], x[0], mask[0]),
    (x, x, mask.astype(int)),
    (x, x, mask == 1),
    (x, (255 * x).astype(jnp.uint8), mask),
  ]:
    with pytest.raises(AssertionError):
      loss(*wrong)


@pytest.mark.parametrize(
  'loss',
  [*INSIDE, functools.partial(reconstruction.overlap_l2, known_weight=0)],
)
def test_what_does_not_count_may_be_no_number(loss):
  prediction, target, mask = random_case(np.float32)
  known = mask == 0
  spoiled = [np.where(known, np.nan, x) for x in (prediction, target)]
  np.testing.assert_array_equal(
    loss(*spoiled, mask), loss(prediction, target, mask)
  )
  # Nor pull: NaN times 0 is NaN.
  pull = jax.grad(lambda x: loss(x, spoiled[1], mask).sum())(spoiled[0])
  clean = jax.grad(lambda x: loss(x, target, mask).sum())(prediction)
  np.testing.assert_array_equal(pull, clean)


@pytest.mark.parametrize(
  'loss',
  [
    reconstruction.masked_l1,
    reconstruction.masked_l2,
    reconstruction.overlap_l2,
  ],
)
def test_a_large_hole_of_half_precision_costs_what_a_small_one_does(loss):
  # 256 x 256 numbers are more than float16 can count.
  ones = jnp.ones((1, 256, 256, 1), jnp.float16)
  found = loss(ones, 0 * ones, ones)
  assert found.tolist() == [1.0] and found.dtype == jnp.float32


def test_long_vectors_of_half_precision_have_their_sum():
  long = jnp.full((1, 1000), 100, jnp.float16)
  found = reconstruction.half_squared_error(long, 0 * long)
  assert found.tolist() == [5e6]
