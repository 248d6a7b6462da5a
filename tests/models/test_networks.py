import json

import chex
import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from inpaintax import models
from inpaintax.models.context_encoder import (
  ContextDiscriminator,
  ContextGenerator,
)
from inpaintax.models.deck import DeckDiscriminator, DeckGenerator

SMALL = {
  'encoder_widths': [4, 8],
  'decoder_widths': [8, 4],
  'bottleneck_width': 6,
}


def shapes(module, side, *, capture=False):
  """(output, variables) without computing anything."""
  image = jnp.zeros((2, side, side, 3))
  init = lambda: module.init_with_output(
    jax.random.key(0), image, train=True, capture_intermediates=capture
  )
  return jax.eval_shape(init)


def apply(module, variables, *inputs, train, capture=False):
  """(output, what it wrote), compiled: eagerly each layer would be."""
  run = lambda variables, *inputs: module.apply(
    variables,
    *inputs,
    train=train,
    capture_intermediates=capture,
    mutable=['batch_stats', 'intermediates'],
  )
  return jax.jit(run)(variables, *inputs)


def start(module, side, batch=4, seed=0):
  """(variables, a batch of images) for a network."""
  image = jax.random.uniform(
    jax.random.key(seed), (batch, side, side, 3), minval=-1, maxval=1
  )
  init = jax.jit(lambda key: module.init(key, image, train=True))
  return init(jax.random.key(1)), image


@pytest.mark.parametrize(
  'module, side, output, count',
  [
    (ContextGenerator(), 128, (2, 64, 64, 3), 71_124_544),
    (ContextGenerator(bottleneck_width=100), 128, (2, 64, 64, 3), 7_219_144),
    (
      ContextGenerator(decoder_widths=(512, 256, 128, 64, 64)),
      128,
      (2, 128, 128, 3),
      71_190_208,
    ),
    (
      ContextGenerator(encoder_widths=(64, 128, 256, 512)),
      64,
      (2, 64, 64, 3),
      71_058_880,
    ),
    (ContextDiscriminator(), 64, (2,), 2_765_568),
    (ContextDiscriminator((64, 64, 128, 256, 512)), 128, (2,), 2_831_232),
    (DeckGenerator(), 256, (2, 64, 64, 3), 2_573_187),
    (DeckDiscriminator(), 64, (2,), 437_249),
  ],
)
def test_published_networks_have_their_shapes_and_parameter_counts(
  module, side, output, count
):
  found, variables = shapes(module, side)
  assert found.shape == output and found.dtype == jnp.float32
  leaves = jax.tree.leaves(variables['params'])
  assert sum(leaf.size for leaf in leaves) == count


def test_the_channelwise_bottleneck_replaces_code_and_spread():
  # m n^4 and the 1x1 convolution that mixes, for m = 512 maps of n = 4.
  conv = shapes(ContextGenerator(), 128)[1]['params']
  paper = shapes(ContextGenerator(bottleneck='channelwise'), 128)
  assert paper[0].shape == (2, 64, 64, 3)
  assert paper[1]['params']['channelwise']['kernel'].size == 131_072
  assert paper[1]['params']['mix']['kernel'].size == 262_144
  only = lambda a, b: set(a) - set(b)
  assert only(paper[1]['params'], conv) == {'channelwise', 'mix'}
  assert only(conv, paper[1]['params']) == {'code', 'code_norm', 'spread'}


def test_the_scores_and_images_of_a_small_network():
  gen, disc = ContextGenerator(**SMALL), ContextDiscriminator((4, 8))
  variables, image = start(gen, 16)
  mask = jnp.zeros((4, 16, 16, 1))
  output, _ = apply(gen, variables, image, mask, train=False)
  assert output.shape == image.shape and jnp.abs(output).max() < 1
  assert jnp.std(output) > 0
  variables, image = start(disc, 16)
  assert apply(disc, variables, image, train=False)[0].shape == (4,)


@pytest.mark.parametrize(
  'module, side',
  [
    (ContextGenerator(**SMALL, dtype=jnp.bfloat16), 16),
    (ContextGenerator(**SMALL, bottleneck='channelwise', dtype='bfloat16'), 16),
    (ContextDiscriminator((4, 8), dtype=jnp.bfloat16), 16),
    (DeckGenerator(dtype=jnp.bfloat16), 64),
    (DeckDiscriminator(dtype=jnp.bfloat16), 16),
  ],
)
def test_bfloat16_is_for_computing_only(module, side):
  output, variables = shapes(module, side, capture=True)
  assert output.dtype == jnp.float32
  stored = variables['params'], variables['batch_stats']
  assert {x.dtype for x in jax.tree.leaves(stored)} == {jnp.dtype('float32')}
  between = dict(variables['intermediates'])
  del between['__call__']
  assert {x.dtype for x in jax.tree.leaves(between)} == {jnp.dtype('bfloat16')}


@pytest.mark.parametrize(
  'module, side, layer, eps, momentum',
  [
    # Torch's 0.1 and 1e-5; Keras' 0.8 and 1e-3.
    (ContextDiscriminator((4, 8)), 8, ('down1', 'down1_norm'), 1e-5, 0.9),
    (DeckDiscriminator(), 8, ('down0/conv', 'down0/norm'), 1e-3, 0.8),
  ],
)
def test_batch_norm_has_the_numbers_of_its_origin(
  module, side, layer, eps, momentum
):
  def at(tree, path):
    for name in path.split('/'):
      tree = tree[name]
    return tree

  variables, image = start(module, side)
  image = 0.01 * image  # So that eps counts.
  _, seen = apply(module, variables, image, train=True, capture=True)
  before = at(seen['intermediates'], layer[0])['__call__'][0]
  after = at(seen['intermediates'], layer[1])['__call__'][0]
  if '/' in layer[0]:  # The slides' order: the norm comes last.
    before = nn.leaky_relu(before, 0.2)
  mean, var = before.mean((0, 1, 2)), before.var((0, 1, 2))
  params, stats = (
    at(variables['params'], layer[1]),
    at(seen['batch_stats'], layer[1]),
  )
  params, stats = params.get('norm', params), stats.get('norm', stats)
  expected = (before - mean[None, None, None]) / jnp.sqrt(var + eps)[
    None, None, None
  ]
  np.testing.assert_allclose(
    after,
    expected * params['scale'][None, None, None],
    rtol=1e-3,
    atol=1e-4,
  )
  np.testing.assert_allclose(stats['mean'], (1 - momentum) * mean, 1e-4, 1e-7)
  np.testing.assert_allclose(
    stats['var'], momentum + (1 - momentum) * var, rtol=1e-4
  )


def test_out_of_training_an_image_does_not_depend_on_its_batch():
  module = ContextDiscriminator((4, 8))
  variables, image = start(module, 8)
  score = lambda x, train: apply(module, variables, x, train=train)[0]
  np.testing.assert_allclose(
    score(image[:2], False), score(image, False)[:2], rtol=1e-5
  )
  assert not np.allclose(score(image[:2], True), score(image, True)[:2], 1e-2)


def test_the_decks_strided_convolutions_pad_as_keras_does():
  module = DeckDiscriminator()
  variables, _ = start(module, 8)
  conv = nn.Conv(64, (3, 3), 2)  # Alone it pads SAME, and so must `down0`.
  impulse = jnp.zeros((1, 8, 8, 3)).at[:, 1, 1].set(1.0)
  _, seen = apply(module, variables, impulse, train=False, capture=True)
  seen = seen['intermediates']['down0']['conv']['__call__'][0]
  expected = conv.apply(
    {'params': variables['params']['down0']['conv']}, impulse
  )
  np.testing.assert_allclose(seen, expected, rtol=1e-6)
  # Keras pads below and right only: pixel 1 is in the first window alone.
  assert np.argwhere(np.abs(seen[0]).max(-1) > 0).tolist() == [[0, 0]]


def test_a_record_of_plain_json_is_enough_to_build_a_model():
  records = [
    {'name': 'context_generator', 'options': SMALL},
    {'name': 'context_discriminator', 'options': {'widths': [4, 8]}},
  ]
  modules = [
    ContextGenerator((4, 8), (8, 4), bottleneck_width=6),
    ContextDiscriminator((4, 8)),
  ]
  for record, module in zip(records, modules, strict=True):
    built = models.build(json.loads(json.dumps(record)))
    assert built.axis_name is None
    chex.assert_trees_all_equal_shapes_and_dtypes(
      shapes(built, 16), shapes(module, 16)
    )
  for name in models.MODELS:
    record = {'name': name, 'options': {}}
    assert models.build(record, axis_name='devices').axis_name == 'devices'


def test_records_that_do_not_fit_are_refused():
  for name, options, said in [
    ('context_denoiser', {}, 'unknown model'),
    ('context_generator', {'widths': [4]}, 'options of context_generator'),
    ('deck_generator', {'axis_name': 'x'}, 'options of deck_generator'),
  ]:
    with pytest.raises(ValueError, match=said):
      models.build({'name': name, 'options': options})


def test_images_and_options_that_do_not_fit_are_refused():
  for module, side, said in [
    (ContextGenerator(**SMALL), 32, '16x16'),
    (ContextGenerator(**SMALL, bottleneck='dense'), 16, 'bottleneck'),
    (ContextDiscriminator((4, 8)), 10, 'multiples of 4'),
    (DeckGenerator(), 96, 'multiples of 64'),
  ]:
    with pytest.raises(ValueError, match=said):
      shapes(module, side)
  key = jax.random.key(0)
  for module in (
    ContextGenerator(**SMALL),
    ContextDiscriminator((4, 8)),
    DeckGenerator(),
    DeckDiscriminator(),
  ):
    with pytest.raises(AssertionError):  # One image, not a batch.
      module.init(key, jnp.zeros((16, 16, 3)), train=True)


@pytest.mark.parametrize('name', sorted(models.MODELS))
def test_images_of_0_to_255_are_refused(name):
  # Taken for [-1, 1] they would give a picture, and no error.
  module = models.build({'name': name, 'options': {}})
  side, channels = {
    'context_generator': (128, 3),
    'convolutional_autoencoder': (16, 1),
    'stacked_autoencoder': (13, 1),
  }.get(name, (64, 3))
  for kind in (np.uint8, np.int32, bool):
    image = jax.ShapeDtypeStruct((2, side, side, channels), kind)
    mask = jax.ShapeDtypeStruct((2, side, side, 1), jnp.float32)
    with pytest.raises(AssertionError, match='type'):
      jax.eval_shape(
        lambda *given: module.init(jax.random.key(0), *given, train=True),
        image,
        mask,
      )
