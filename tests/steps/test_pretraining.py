import functools

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from inpaintax.models.ssda import StackedAutoencoder
from inpaintax.steps.pretraining import (
  make_stage_loss,
  make_stage_round,
  make_stage_step,
)
from inpaintax.steps.supervised import init_supervised
from inpaintax.types import Sample

MODEL = StackedAutoencoder(3, (7, 5), output='sigmoid', center=0.5, gain=0.4)
LAYERS = {
  0: {'encoders_0', 'decoders_0'},
  1: {'encoders_1', 'decoders_1'},
  2: {'encoders_0', 'decoders_0', 'encoders_1', 'decoders_1'},
}


def sample(count=8, side=3, seed=0):
  keys = jax.random.split(jax.random.key(seed))
  clean = jax.random.uniform(
    keys[0], (count, side, side, 1), minval=-1, maxval=1
  )
  noisy = clean + 0.2 * jax.random.normal(keys[1], clean.shape)
  return Sample(noisy, clean, jnp.ones_like(clean))


def start(model=MODEL, tx=None):
  image = jax.ShapeDtypeStruct((1, model.side, model.side, 1), jnp.float32)
  tx = tx or optax.adam(1e-2)
  return tx, init_supervised(jax.random.key(0), model, tx, image=image)


def stage_step(model, tx, *, first=0, axis_name=None, **options):
  loss = make_stage_loss(model, axis_name=axis_name, **options)
  return make_stage_step(loss, tx, first=first, axis_name=axis_name)


@pytest.mark.parametrize('stage', [0, 1, 2])
def test_a_stage_moves_its_own_layers_alone(stage):
  tx, state = start()
  step = jax.jit(stage_step(MODEL, tx, stage=stage))
  after, metrics = step(state, sample())
  moved = {
    name
    for name, layer in state.gen.params.items()
    if any(
      (old != new).any()
      for old, new in zip(
        jax.tree.leaves(layer),
        jax.tree.leaves(after.gen.params[name]),
        strict=True,
      )
    )
  }
  assert moved == LAYERS[stage]
  parts = {'rec'} if stage == 2 else {'rec', 'sparsity'}
  assert set(metrics) == parts | {'loss'}
  assert after.step == 1


def test_the_losses_of_a_network_without_weights():
  # All units and outputs are 0.5, and so are the targets of the second stage.
  tx, state = start()
  zero = jax.tree.map(jnp.zeros_like, state.gen.params)
  state = state._replace(gen=state.gen._replace(params=zero))
  batch = sample()
  data = 0.5 * np.square(0.4 * batch.target).sum((1, 2, 3)).mean()
  for stage, units, rec in ((0, 7, data), (1, 5, 0.0), (2, 0, data)):
    step = stage_step(MODEL, tx, stage=stage, beta=0.3)
    _, metrics = jax.jit(step)(state, batch)
    np.testing.assert_allclose(metrics['rec'], rec, rtol=1e-5, atol=1e-9)
    kl = 0.4946319372 * units
    np.testing.assert_allclose(metrics.get('sparsity', 0), kl, rtol=1e-5)
    np.testing.assert_allclose(
      metrics['loss'], rec + 0.3 * kl, rtol=1e-5, atol=1e-9
    )


def test_the_unit_of_errors_counts_for_pixels_alone():
  _, state = start()
  for stage, factor in ((0, 9.0), (1, 1.0), (2, 9.0)):
    found = [
      make_stage_loss(MODEL, stage=stage, weight_decay=0.0, scale=scale)(
        state.gen.params, sample()
      )[1]
      for scale in (1.0, 3.0)
    ]
    np.testing.assert_allclose(
      found[1]['rec'], factor * found[0]['rec'], rtol=1e-6
    )
    apart = found[1]['rec'] - found[0]['rec']
    np.testing.assert_allclose(
      found[1]['loss'] - found[0]['loss'], apart, rtol=1e-4, atol=1e-6
    )


def test_weight_decay_takes_its_own_layers_kernels_and_no_bias():
  _, state = start()
  tx = optax.sgd(1.0)
  state = state._replace(gen=state.gen._replace(opt=tx.init(state.gen.params)))
  ones = jax.tree.map(jnp.ones_like, state.gen.params)
  state = state._replace(gen=state.gen._replace(params=ones))
  loss = {}
  for stage in (0, 2):
    for decay in (0.0, 2.0):
      step = stage_step(MODEL, tx, stage=stage, weight_decay=decay)
      loss[stage, decay] = jax.jit(step)(state, sample())[1]['loss']
  # lambda / 2 times the number of weights, all 1.
  np.testing.assert_allclose(loss[0, 2.0] - loss[0, 0.0], 2 * 9 * 7, rtol=1e-5)
  both = 2 * (9 * 7 + 7 * 5)
  np.testing.assert_allclose(loss[2, 2.0] - loss[2, 0.0], both, rtol=1e-5)


def test_the_optimiser_starts_anew_at_the_first_step_of_a_stage():
  tx, state = start()
  before, _ = jax.jit(stage_step(MODEL, tx, stage=0))(state, sample())
  fresh = before._replace(
    gen=before.gen._replace(opt=tx.init(before.gen.params))
  )
  step = jax.jit(stage_step(MODEL, tx, stage=1, first=1))
  equal = lambda a, b: jax.tree.map(np.testing.assert_array_equal, a, b)
  equal(step(before, sample())[0], step(fresh, sample())[0])
  # And nowhere else.
  other = jax.jit(stage_step(MODEL, tx, stage=1))
  assert other(before, sample())[0].gen.opt[0].count == 2


def test_shards_of_a_batch_move_as_the_batch_does():
  tx = optax.sgd(0.1)
  _, state = start(tx=tx)
  for stage in (0, 1, 2):
    make = functools.partial(stage_step, MODEL, tx, stage=stage, beta=1.0)
    whole, logged = jax.jit(make())(state, sample(8))
    shards = jax.tree.map(lambda x: x.reshape(4, 2, *x.shape[1:]), sample(8))
    step = jax.pmap(
      make(axis_name='shards'), 'shards', in_axes=(None, 0), out_axes=None
    )
    split, told = step(state, shards)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
      (split, told),
      (whole, logged),
    )


def test_the_linear_limit_is_ridge_regression():
  # Linear units, as many as pixels, no decay: the best is the least squares
  # of clean on noisy patches, with a constant.
  model = StackedAutoencoder(2, (4,), activation='linear', gain=1.0)
  rng = np.random.default_rng(0)
  mix = rng.normal(size=(4, 4))
  clean = (rng.normal(size=(500, 4)) @ mix).astype(np.float32) + 1
  noisy = clean + rng.normal(size=clean.shape).astype(np.float32)
  design = np.concatenate([noisy, np.ones((500, 1), np.float32)], 1)
  best = np.linalg.lstsq(design, clean, rcond=None)[0]
  least = 0.5 * np.square(design @ best - clean).sum(1).mean()
  batch = Sample(
    *(jnp.asarray(x.reshape(500, 2, 2, 1)) for x in (noisy, clean, clean))
  )
  rate = optax.cosine_decay_schedule(3e-2, 1500)
  tx, state = start(model, optax.adam(rate))
  step = stage_step(model, tx, stage=1, weight_decay=0.0)
  run = jax.jit(
    lambda state: jax.lax.scan(
      lambda state, _: step(state, batch), state, length=1500
    )
  )
  state, metrics = run(state)
  assert least <= metrics['rec'][-1] <= least * 1.0005
  np.testing.assert_allclose(
    model.apply({'params': state.gen.params}, batch.observed, train=False),
    (design @ best).reshape(500, 2, 2, 1),
    atol=0.05,
  )


def test_a_stage_that_is_not_there_is_refused():
  for stage in (-1, 3):
    with pytest.raises(ValueError, match='stage'):
      make_stage_loss(MODEL, stage=stage)


def quadratic(params, sample):
  """Of a linear model without a constant: its least value is known."""
  out = jnp.einsum('bp,pq->bq', sample.observed[..., 0, 0], params['kernel'])
  rec = 0.5 * jnp.square(out - sample.target[..., 0, 0]).sum(1).mean()
  return rec, {'loss': rec}


def test_a_round_of_lbfgs_solves_least_squares():
  rng = np.random.default_rng(0)
  noisy = rng.normal(size=(50, 6)) * np.geomspace(1, 30, 6)
  clean = rng.normal(size=(50, 3))
  best = np.linalg.lstsq(noisy, clean, rcond=None)[0]
  batch = Sample(
    *(jnp.float32(x)[..., None, None] for x in (noisy, clean, clean))
  )
  _, state = start()
  state = state._replace(
    gen=state.gen._replace(params={'kernel': jnp.zeros((6, 3))})
  )
  after, metrics = jax.jit(make_stage_round(quadratic, iterations=40))(
    state, batch
  )
  np.testing.assert_allclose(after.gen.params['kernel'], best, atol=1e-3)
  least = 0.5 * np.square(noisy @ best - clean).sum(1).mean()
  np.testing.assert_allclose(metrics['loss'], least, rtol=1e-5)
  assert after.step == 40


@pytest.mark.parametrize('stage', [0, 1, 2])
def test_a_round_moves_its_stages_layers_alone_and_downhill(stage):
  _, state = start()
  loss = make_stage_loss(MODEL, stage=stage, beta=0.1)
  after, metrics = jax.jit(make_stage_round(loss, iterations=10))(
    state, sample()
  )
  moved = {
    name
    for name, layer in state.gen.params.items()
    if (layer['kernel'] != after.gen.params[name]['kernel']).any()
  }
  assert moved == LAYERS[stage]
  before = loss(state.gen.params, sample())[0]
  assert metrics['loss'] < before
  np.testing.assert_allclose(
    metrics['loss'], loss(after.gen.params, sample())[0], rtol=1e-6
  )
  # Adam's state is not its own: a run must find the same tree.
  jax.tree.map(np.testing.assert_array_equal, after.gen.opt, state.gen.opt)


@pytest.mark.parametrize('stage', [0, 1, 2])
def test_bfloat16_is_for_computing_only(stage):
  model = MODEL.clone(dtype=jnp.bfloat16)
  params = start()[1].gen.params
  value, grads = {}, {}
  for name, module in (('half', model), ('whole', MODEL)):
    loss = make_stage_loss(module, stage=stage)
    grad = jax.value_and_grad(lambda p, loss=loss: loss(p, sample())[0])
    value[name], grads[name] = grad(params)
  assert value['half'].dtype == jnp.float32
  assert {x.dtype for x in jax.tree.leaves(grads['half'])} == {
    jnp.dtype('float32')
  }
  # Three significant digits, and not more: it does compute in bfloat16.
  assert 0 < abs(value['half'] / value['whole'] - 1) < 2e-2
