import functools

import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from inpaintax.losses import reconstruction
from inpaintax.models.context_encoder import ContextGenerator
from inpaintax.steps import supervised
from inpaintax.types import Sample

IMAGE = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
MODEL = ContextGenerator((8, 16), (16,), bottleneck_width=20)


def make_sample(rows=slice(6, 10), columns=slice(6, 10)):
  target = jax.random.uniform(
    jax.random.key(0), (4, 16, 16, 3), minval=-1, maxval=1
  )
  mask = jnp.zeros((4, 16, 16, 1)).at[:, rows, columns].set(1.0)
  return Sample(target * (1 - mask), target, mask)


@functools.cache
def build():
  tx = optax.sgd(0.1)
  state = supervised.init_supervised(jax.random.key(0), MODEL, tx, image=IMAGE)
  step = supervised.make_supervised_step(
    MODEL, tx, reconstruction=reconstruction.masked_l2
  )
  return state, jax.jit(step)


def test_a_step_is_one_of_gradient_descent_on_the_mean_loss():
  sample = make_sample()
  state, step = build()
  after, metrics = step(state, sample)

  @jax.jit
  @jax.value_and_grad
  def loss(params):
    out, _ = MODEL.apply(
      {'params': params, 'batch_stats': state.gen.stats},
      sample.observed,
      train=True,
      mutable=['batch_stats'],
    )
    # The block of 8 around the hole of 4.
    return jnp.square(out[:, 2:6, 2:6] - sample.target[:, 6:10, 6:10]).mean()

  value, grads = loss(state.gen.params)
  expected = jax.tree.map(lambda p, g: p - 0.1 * g, state.gen.params, grads)
  chex.assert_trees_all_close(after.gen.params, expected, atol=1e-6)
  assert set(metrics) == {'gen/rec'}
  np.testing.assert_allclose(metrics['gen/rec'], value, rtol=1e-5)
  assert after.step == 1 and (state.gen.stats is not after.gen.stats)
  changed = jax.tree.map(
    lambda a, b: (a != b).any(), state.gen.stats, after.gen.stats
  )
  assert all(jax.tree.leaves(changed))


def test_twenty_steps_on_one_batch_lower_the_loss():
  sample = make_sample()
  state, step = build()
  state, first = step(state, sample)
  for _ in range(19):
    state, last = step(state, sample)
  assert last['gen/rec'] < 0.8 * first['gen/rec']


def test_the_part_predicted_is_the_block_around_the_hole_or_the_whole():
  sample = make_sample(slice(2, 4), slice(11, 15))
  whole = supervised.predicted_part(sample.target, sample)
  assert whole[0] is sample.target and whole[1] is sample.mask
  target, mask = supervised.predicted_part(sample.target[:, :6, :8], sample)
  # Rows 2 to 4 have their middle at 3; columns are moved in from the border.
  np.testing.assert_array_equal(target, sample.target[:, 0:6, 8:16])
  np.testing.assert_array_equal(mask, sample.mask[:, 0:6, 8:16])


def test_a_loss_of_another_shape_is_refused():
  tx = optax.sgd(0.1)
  state, _ = build()
  mean = lambda *of: reconstruction.masked_l2(*of).mean()
  step = supervised.make_supervised_step(MODEL, tx, reconstruction=mean)
  with pytest.raises(AssertionError, match=r'shape \(\) but expected \(4'):
    jax.eval_shape(step, state, make_sample())
