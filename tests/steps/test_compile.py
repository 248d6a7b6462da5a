"""One device or eight, jit or pmap: the same training."""

import functools
from typing import NamedTuple

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from inpaintax import images
from inpaintax.corruptions import masks
from inpaintax.losses import penalties, reconstruction
from inpaintax.losses.adversarial import ADVERSARIAL
from inpaintax.models import completion, residual
from inpaintax.models.context_encoder import (
  ContextDiscriminator,
  ContextGenerator,
)
from inpaintax.steps import compile as compiling
from inpaintax.steps import gan
from inpaintax.types import Sample

STEPS = 3  # More than one, so that optimisers and statistics count.
BATCHES = np.random.default_rng(0).integers(
  0, 255, (STEPS, 8, 8, 8, 3), np.uint8
)


class Summed(NamedTuple):
  step: jax.Array
  total: jax.Array


def corrupt(keys, images):
  """Another hole in each image: keys by global index matter."""
  mask = masks.random_blocks(keys, (8, 8), min_side=2, max_side=4)
  return Sample(masks.apply(images, mask, jnp.zeros(3)), images, mask)


def build_completion(axis_name):
  """(init, step) with all that a completion network's training may have."""
  gen = residual.ResidualGenerator(
    (4,), 1, told=True, channelwise=False, part=1, axis_name=axis_name
  )
  disc = completion.GlobalLocalDiscriminator(
    (4, 8), (4,), code=8, norm='spectral', axis_name=axis_name
  )
  txs = optax.sgd(0.05, momentum=0.9), optax.sgd(0.05, momentum=0.9)
  image = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32)
  init = lambda: gan.init_gan(
    jax.random.key(0), gen, disc, *txs, image=image, averaged=True
  )
  step = gan.make_gan_step(
    gen,
    disc,
    *txs,
    reconstruction=reconstruction.discounted_l1,
    form=ADVERSARIAL['wasserstein'],
    adversarial_weight=0.5,
    feature_weight=0.1,
    penalty=penalties.gradient_penalty,
    penalty_weight=1.0,
    decay=0.9,
    axis_name=axis_name,
  )
  return init, compiling.with_corruption(
    step, corrupt, seed=5, axis_name=axis_name
  )


def build(axis_name):
  """(init, step), with momentum but without Adam, which magnifies noise."""
  gen = ContextGenerator((8,), (16,), bottleneck_width=20, axis_name=axis_name)
  disc = ContextDiscriminator((8, 16), axis_name=axis_name)
  txs = optax.sgd(0.1, momentum=0.9), optax.sgd(0.1, momentum=0.9)
  image = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32)
  init = lambda: gan.init_gan(jax.random.key(0), gen, disc, *txs, image=image)
  step = gan.make_gan_step(
    gen,
    disc,
    *txs,
    reconstruction=reconstruction.masked_l2,
    form=ADVERSARIAL['bce'],
    adversarial_weight=0.5,
    axis_name=axis_name,
  )
  return init, compiling.with_corruption(
    step, corrupt, seed=5, axis_name=axis_name
  )


def train(state, step, place=jnp.asarray):
  for batch in BATCHES:
    state, metrics = step(state, place(batch))
  return jax.device_get((state, metrics))


@functools.cache
def alone():
  """(before, after) on one device, with neither mesh nor placement."""
  init, step = build(None)
  state = init()
  return jax.device_get(state), train(state, jax.jit(step))


def distance(a, b):
  """The greatest difference of any two numbers of two trees."""
  apart = lambda a, b: float(np.abs(np.subtract(a, b)).max())
  return max(jax.tree.leaves(jax.tree.map(apart, a, b)))


@pytest.mark.scenario(19, 20)
@pytest.mark.parametrize('axis_name', [None, 'devices'], ids=['jit', 'pmap'])
@pytest.mark.parametrize('devices', [1, 2, 4, 8])
def test_any_number_of_devices_trains_as_one(axis_name, devices):
  before, expected = alone()
  assert distance(before.gen.params, expected[0].gen.params) > 0.01
  assert distance(before.disc.params, expected[0].disc.params) > 0.01
  _, step = build(axis_name)
  compiled = compiling.compile_step(step, axis_name=axis_name, devices=devices)
  found = train(compiled.place_state(before), compiled.step, compiled.place)
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  assert distance(found, expected) <= 1e-6
  assert found[0].step == STEPS


@pytest.mark.parametrize('axis_name', [None, 'devices'], ids=['jit', 'pmap'])
def test_two_devices_train_a_completion_network_as_one(axis_name):
  init, step = build_completion(None)
  before = jax.device_get(init())
  expected = train(jax.device_put(before), jax.jit(step))
  assert distance(before.gen.average, expected[0].gen.average) > 1e-4
  _, step = build_completion(axis_name)
  compiled = compiling.compile_step(step, axis_name=axis_name, devices=2)
  found = train(compiled.place_state(before), compiled.step, compiled.place)
  assert distance(found, expected) <= 1e-5


def test_a_batch_lies_on_all_the_devices_and_a_state_on_each():
  for axis_name in (None, 'devices'):
    compiled = compiling.compile_step(
      lambda state, batch: (state, {}), axis_name=axis_name, devices=4
    )
    batch = compiled.place(BATCHES[0])
    shards = sorted(batch.addressable_shards, key=lambda s: s.device.id)
    parts = [np.asarray(s.data).reshape(-1, 8, 8, 3) for s in shards]
    np.testing.assert_array_equal(parts, BATCHES[0].reshape(4, 2, 8, 8, 3))
    state = compiled.place_state({'w': jnp.arange(3.0)})
    assert len(state['w'].sharding.device_set) == 4
    assert state['w'].is_fully_replicated and state['w'].shape == (3,)


def test_batches_and_devices_that_do_not_fit_are_refused():
  identity = lambda state, batch: (state, {})
  for axis_name in (None, 'devices'):
    for devices in (0, 9):
      with pytest.raises(ValueError, match=f'{devices} devices'):
        compiling.compile_step(identity, axis_name=axis_name, devices=devices)
    compiled = compiling.compile_step(identity, axis_name=axis_name, devices=4)
    with pytest.raises(ValueError, match='batch of 6 does not divide by 4'):
      compiled.place(BATCHES[0, :6])


def key_bits(keys):
  return np.asarray(jax.random.key_data(keys)).tolist()


def test_each_image_has_the_key_of_its_place_in_the_global_batch():
  key = jax.random.key(3)
  whole = key_bits(compiling.sample_keys(key, 8))
  assert len({tuple(bits) for bits in whole}) == 8
  assert whole == key_bits(
    jnp.stack([jax.random.fold_in(key, i) for i in range(8)])
  )
  split = jax.pmap(
    lambda _: jax.random.key_data(
      compiling.sample_keys(key, 2, axis_name='devices')
    ),
    'devices',
  )(jnp.arange(4))
  assert np.asarray(split).reshape(8, -1).tolist() == whole


def test_a_corruption_follows_from_seed_step_and_place_and_sees_floats():
  seen = lambda state, sample: (state, sample)
  state = gan.GanState(jnp.int32(0), None, None)

  def draw(seed, step, batch):
    corrupted = compiling.with_corruption(seen, corrupt, seed=seed)
    return corrupted(state._replace(step=jnp.int32(step)), batch)[1]

  sample = draw(0, 7, BATCHES[0])
  np.testing.assert_array_equal(sample.target, images.to_float(BATCHES[0]))
  assert sample.observed.dtype == jnp.float32
  mask = np.asarray(sample.mask)
  assert len({m.tobytes() for m in mask}) > 4
  # The same again, whatever the images.
  np.testing.assert_array_equal(draw(0, 7, BATCHES[1]).mask, mask)
  for seed, step in [(1, 7), (0, 8)]:
    assert (draw(seed, step, BATCHES[0]).mask != mask).any((1, 2, 3)).sum() > 4


@pytest.mark.parametrize('axis_name', [None, 'devices'])
def test_draws_are_those_of_the_global_batch_on_any_devices(axis_name):
  # A "state" that sums what is drawn: numbers and steps decide, not devices.
  def step(state, sample):
    total = sample.observed.sum()
    if axis_name is not None:
      total = jax.lax.psum(total, axis_name)
    new = state._replace(step=state.step + 1, total=state.total + total)
    return new, {'total': new.total}

  def draw(keys, data):
    noise = jax.vmap(lambda key: jax.random.normal(key, (1, 1, 1)))(keys)
    return Sample(noise + data, noise, noise)

  found = []
  for count in (1, 2, 4):
    compiled = compiling.compile_draws(
      compiling.with_draws(step, draw, seed=3, updates=5),
      jnp.float32(0.5),
      batch_size=8,
      axis_name=axis_name,
      devices=count,
    )
    state = compiled.place_state(Summed(jnp.int32(0), jnp.float32(0)))
    for _ in range(2):
      state, metrics = compiled.step(state, compiled.place(None))
    assert state.step == 10
    found.append((float(state.total), float(metrics['total'])))
  np.testing.assert_allclose(found, [found[0]] * 3, rtol=1e-5)
  # Ten updates of eight draws, whose mean is 0.5; and no two are alike.
  assert abs(found[0][0] - 40) < 4 * np.sqrt(80)
  assert found[0][0] != found[0][1]
  with pytest.raises(ValueError, match='does not divide'):
    compiling.compile_draws(
      step, jnp.float32(0), batch_size=7, axis_name=axis_name, devices=2
    )


def test_draws_from_a_set_come_from_no_more_samples_than_it_has():
  def step(state, sample):
    return state._replace(step=state.step + 1), {'drawn': sample.observed}

  def draw(keys, data):
    drawn = jax.vmap(lambda key: jax.random.bits(key))(keys)
    return Sample(drawn, data, data)

  def drawn(distinct):
    many = jax.jit(
      compiling.with_draws(step, draw, seed=0, updates=1, distinct=distinct)
    )
    found = []
    state = Summed(jnp.int32(0), jnp.float32(0))
    for _ in range(20):
      state, metrics = many(state, (jnp.arange(8), None))
      found += np.asarray(metrics['drawn']).tolist()
    return found

  # 160 draws of five miss one with a chance of 1e-15.
  assert len(set(drawn(5))) == 5 and len(set(drawn(None))) == 160
  assert 60 < len(set(drawn(100))) < 100
