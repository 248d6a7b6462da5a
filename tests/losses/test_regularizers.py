import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.losses import reconstruction, regularizers


@pytest.mark.parametrize(
  'mean, value, slope',
  [
    (0.05, 0.0, 0.0),
    (0.1, 0.0167065012, 0.5555556),
    (0.2, 0.0939430260, 0.9375),
    (0.5, 0.4946319372, 1.8),
  ],
)
def test_kl_sparsity_by_hand(mean, value, slope):
  with jax.enable_x64(True):
    # Two units of that mean, from unequal activations.
    hidden = jnp.array([[0.5 * mean] * 2, [1.5 * mean] * 2], jnp.float64)
    sparsity = lambda hidden: regularizers.kl_sparsity(hidden, rho=0.05)
    np.testing.assert_allclose(sparsity(hidden), 2 * value, atol=1e-9)
    # The slope along a unit's mean is shared by the two patches.
    np.testing.assert_allclose(
      jax.grad(sparsity)(hidden), np.full((2, 2), slope / 2), atol=1e-6
    )


@pytest.mark.parametrize('mean', [0.0, 1.0])
def test_kl_sparsity_is_finite_at_dead_and_saturated_units(mean):
  hidden = jnp.full((4, 3), mean)
  value, slope = jax.value_and_grad(
    lambda hidden: regularizers.kl_sparsity(hidden, rho=0.05)
  )(hidden)
  assert np.isfinite(value) and value > 0 and np.isfinite(slope).all()


def test_kl_sparsity_of_shards_is_that_of_the_batch():
  weight = jnp.linspace(-1, 1, 12).reshape(4, 3)
  patches = jax.random.normal(jax.random.key(0), (8, 4))

  def loss(weight, patches, axis_name=None):
    hidden = jax.nn.sigmoid(patches @ weight)
    return regularizers.kl_sparsity(hidden, rho=0.05, axis_name=axis_name)

  def shard(weight, patches):
    value, grad = jax.value_and_grad(loss)(weight, patches, 'shards')
    return value, jax.lax.pmean(grad, 'shards')

  shards = jax.pmap(shard, 'shards', in_axes=(None, 0), out_axes=None)
  found = shards(weight, patches.reshape(4, 2, 4))
  expected = jax.value_and_grad(loss)(weight, patches)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
    found,
    expected,
  )


@pytest.mark.parametrize('rho', [0.0, 1.0, -0.1])
def test_targets_that_no_mean_has_are_refused(rho):
  with pytest.raises(ValueError, match='rho'):
    regularizers.kl_sparsity(jnp.full((2, 2), 0.5), rho=rho)


def test_a_target_may_be_a_schedule_and_a_batch_may_not_be_empty():
  hidden = jnp.full((2, 3), 0.3)
  traced = jax.jit(lambda rho: regularizers.kl_sparsity(hidden, rho=rho))
  for rho in (0.05, 0.4):
    expected = 3 * (
      rho * np.log(rho / 0.3) + (1 - rho) * np.log((1 - rho) / 0.7)
    )
    np.testing.assert_allclose(traced(rho), expected, rtol=1e-5)
  with pytest.raises(ValueError, match='empty'):
    regularizers.kl_sparsity(jnp.zeros((0, 3)), rho=0.05)


def test_frobenius_is_half_the_sum_of_squares_of_all_weights():
  weights = jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]])
  assert regularizers.frobenius(*weights) == 15.0
  np.testing.assert_array_equal(
    jax.grad(regularizers.frobenius)(weights[0]), weights[0]
  )


def test_half_squared_error_is_a_sum_over_the_vector():
  target = jnp.array([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
  prediction = jnp.array([[1.0, 1.0, 4.0], [0.0, 0.0, 0.0]])
  error = reconstruction.half_squared_error(prediction, target)
  assert error.tolist() == [2.5, 0.0]
  slope = jax.grad(
    lambda x: reconstruction.half_squared_error(x, target).sum()
  )(prediction)
  np.testing.assert_array_equal(slope, prediction - target)
  with pytest.raises(AssertionError):
    reconstruction.half_squared_error(prediction[:1], target)


@pytest.mark.parametrize('half', [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize('level', [0.0, 1.0])
def test_half_precision_costs_what_float32_does(half, level):
  hidden = jnp.full((4, 2), level)
  sparsity = lambda x: regularizers.kl_sparsity(x, rho=0.05)
  assert sparsity(hidden.astype(half)) == sparsity(hidden)
  pull = jax.grad(sparsity)(hidden.astype(half))
  assert np.isfinite(pull.astype(jnp.float32)).all()
  assert regularizers.frobenius(jnp.ones((400, 500), half)) == 1e5
