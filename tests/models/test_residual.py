import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.models.residual import (
  ResidualGenerator,
  SpectralDiscriminator,
  deepened,
  deepens,
)

SMALL = {'widths': (4, 8), 'residual_blocks': 1}


def start(module, side, batch=4):
  """(variables, a batch of images) for a network."""
  image = jax.random.uniform(
    jax.random.key(0), (batch, side, side, 3), minval=-1, maxval=1
  )
  init = jax.jit(lambda key: module.init(key, image, train=True))
  return init(jax.random.key(1)), image


def shut(variables):
  """Nothing passes the smallest map."""
  params = dict(variables['params'])
  params['around_norm'] = jax.tree.map(jnp.zeros_like, params['around_norm'])
  return variables | {'params': params}


def seen_by(module, variables, image, row, column):
  """Rows and columns of the image that one output pixel depends on."""
  pixel = lambda image: module.apply(variables, image, train=False)[
    :, row, column
  ].sum()
  seen = np.abs(jax.jit(jax.grad(pixel))(image)).sum((0, 3)) > 0
  return np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))


@pytest.mark.parametrize('part, side', [(0.5, 16), (1.0, 32)])
def test_the_block_or_the_whole_image_in_range(part, side):
  module = ResidualGenerator(**SMALL, part=part)
  variables, image = start(module, 32)
  output = jax.jit(lambda v, x: module.apply(v, x, train=False))(
    variables, image
  )
  assert output.shape == (4, side, side, 3) and output.dtype == jnp.float32
  assert 0 < jnp.std(output) and jnp.abs(output).max() < 1


def test_every_pixel_depends_on_the_whole_image():
  module = ResidualGenerator(**SMALL)
  variables, image = start(module, 32)
  for corner in (0, 15):
    rows, columns = seen_by(module, variables, image, corner, corner)
    assert len(rows) == len(columns) == 32


@pytest.mark.parametrize('part, first', [(0.5, 8), (1.0, 0)])
def test_the_encoders_maps_join_in_their_own_place(part, first):
  # Without the smallest map an output pixel sees only what is around its own
  # place in the image.
  module = ResidualGenerator(**SMALL, part=part)
  variables, image = start(module, 32)
  rows, columns = seen_by(module, shut(variables), image, 5, 9)
  for place, seen in ((first + 5, rows), (first + 9, columns)):
    assert seen.min() < place < seen.max()
    assert len(seen) <= 13
    assert abs((seen.min() + seen.max()) / 2 - place) <= 2


def test_what_is_flat_is_filled_without_a_pattern():
  module = ResidualGenerator(**SMALL)
  variables, image = start(module, 32)
  state = shut(variables)
  flat = jnp.full_like(image, 0.3)
  noisy = module.apply(state, flat, train=False)
  for name in ('up0', 'up1'):
    kernel = state['params'][name]['kernel']
    state['params'][name] = {'kernel': kernel.at[:, :, -4:].set(0.0)}
  inner = lambda x: x[:, 6:-6, 6:-6]  # Away from where zeros are padded.
  output = inner(module.apply(state, flat, train=False))
  assert jnp.abs(output).min() > 1e-4
  np.testing.assert_allclose(
    output, jnp.broadcast_to(output[:1, :1, :1], output.shape), rtol=1e-4
  )
  assert jnp.std(inner(noisy)) > 1e-4  # So it was the noise that varied.


def test_noise_depends_on_the_image_alone():
  module = ResidualGenerator(**SMALL)
  variables, image = start(module, 32)
  run = jax.jit(lambda x: module.apply(variables, x, train=False))
  whole = run(image)
  np.testing.assert_allclose(run(image[1:2]), whole[1:2], rtol=1e-5, atol=1e-6)
  # One grey level in a corner: other noise everywhere.
  changed = image[:1].at[0, 0, 0, 0].add(2 / 255)
  difference = jnp.abs(run(changed) - whole[:1])
  assert (difference > 1e-5).mean() > 0.5


def test_rounding_errors_in_the_image_are_not_other_noise():
  module = ResidualGenerator(**SMALL)
  variables, _ = start(module, 32)
  # All levels of 8 bit, as jit and as plain numpy would make them.
  levels = np.arange(256, dtype=np.float32)
  pixels = np.resize(levels / np.float32(127.5) - 1, (1, 32, 32, 3))
  run = jax.jit(lambda x: module.apply(variables, x, train=False))
  for error in (-2e-7, 2e-7):
    np.testing.assert_allclose(run(pixels + error), run(pixels), atol=1e-5)


def test_the_scale_of_its_weights_has_no_effect_on_scores():
  module = SpectralDiscriminator((4, 8))
  variables, image = start(module, 8)
  train = jax.jit(
    lambda v, x: module.apply(v, x, train=True, mutable=['batch_stats'])
  )

  def scores(params):
    state = {'params': params, 'batch_stats': variables['batch_stats']}
    for _ in range(60):  # Power iterations: one a pass.
      result, new = train(state, image)
      state |= new
    return result

  grown = jax.tree_util.tree_map_with_path(
    lambda path, x: 7 * x if path[-1].key == 'kernel' else x,
    variables['params'],
  )
  expected = scores(variables['params'])
  assert np.std(expected) > 0
  np.testing.assert_allclose(scores(grown), expected, rtol=1e-3, atol=1e-6)


def test_a_score_depends_on_its_own_image_alone():
  module = SpectralDiscriminator((4, 8))
  variables, image = start(module, 8)
  score = lambda x: module.apply(
    variables, x, train=True, mutable=['batch_stats']
  )[0]
  assert score(image).shape == (4,)
  np.testing.assert_allclose(score(image[:2]), score(image)[:2], rtol=1e-5)


def test_training_alone_moves_the_singular_vectors():
  module = SpectralDiscriminator((4, 8))
  variables, image = start(module, 8)
  for train in (True, False):
    _, new = module.apply(
      variables, image, train=train, mutable=['batch_stats']
    )
    same = jax.tree.map(
      lambda a, b: bool(jnp.array_equal(a, b)),
      new['batch_stats'],
      variables['batch_stats'],
    )
    assert all(jax.tree.leaves(same)) != train


@pytest.mark.parametrize(
  'module', [ResidualGenerator(**SMALL), SpectralDiscriminator((4, 8, 8))]
)
def test_images_that_do_not_fit_are_refused(module):
  key = jax.random.key(0)
  with pytest.raises(ValueError, match='multiples of 4'):
    module.init(key, jnp.zeros((1, 18, 18, 3)), train=False)
  with pytest.raises(AssertionError):  # One image, not a batch.
    module.init(key, jnp.zeros((16, 16, 3)), train=False)


@pytest.mark.parametrize(
  'module, side',
  [
    (ResidualGenerator(**SMALL, dtype=jnp.bfloat16), 16),
    (SpectralDiscriminator((4, 8), dtype=jnp.bfloat16), 16),
  ],
)
def test_bfloat16_is_for_computing_only(module, side):
  image = jnp.zeros((2, side, side, 3))
  output, variables = jax.eval_shape(
    lambda: module.init_with_output(jax.random.key(0), image, train=True)
  )
  assert output.dtype == jnp.float32
  assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype('float32')}


@pytest.mark.parametrize(
  ('more', 'new'),
  [
    ({'residual_blocks': 3}, ('residual1', 'residual2')),
    ({'decoder_blocks': 1}, ('up0_residual0', 'up1_residual0')),
  ],
)
def test_a_deeper_network_begins_as_the_one_it_is_made_from(more, new):
  shallow, deep = (
    ResidualGenerator(**SMALL | options) for options in ({}, more)
  )
  image = jax.random.uniform(jax.random.key(0), (2, 16, 16, 3), minval=-1)
  first, second = (
    jax.jit(functools.partial(net.init, train=True))(
      jax.random.key(seed), image
    )
    for seed, net in enumerate((shallow, deep))
  )
  params, stats = deepened(
    first['params'],
    first['batch_stats'],
    like=(second['params'], second['batch_stats']),
  )
  grown = {'params': params, 'batch_stats': stats}
  assert jax.tree.structure(grown) == jax.tree.structure(second)
  for train in (False, True):
    fill = lambda net, variables, train=train: net.apply(
      variables, image, train=train, mutable=['batch_stats']
    )[0]
    np.testing.assert_array_equal(fill(deep, grown), fill(shallow, first))
  # And learns from there, in every block.
  slopes = jax.grad(
    lambda params: (
      deep.apply(
        {'params': params, 'batch_stats': stats},
        image,
        train=True,
        mutable=['batch_stats'],
      )[0]
      ** 2
    ).sum()
  )(params)
  for block in new:
    assert abs(slopes[block]['conv2']['kernel']).max() > 0


@pytest.mark.parametrize(
  ('change', 'wanted'),
  [
    ({'residual_blocks': 3}, True),
    ({'residual_blocks': 2}, False),
    ({'residual_blocks': 1}, False),
    ({'residual_blocks': 3, 'part': 1.0}, False),
    ({'decoder_blocks': 1}, True),
    ({'residual_blocks': 3, 'decoder_blocks': 1}, True),
    ({'residual_blocks': 1, 'decoder_blocks': 1}, False),
  ],
)
def test_only_more_blocks_make_a_network_deeper(change, wanted):
  options = {'widths': [4, 8], 'residual_blocks': 2}
  record = lambda more: {
    'name': 'residual_generator',
    'options': options | more,
  }
  assert deepens(record(change), record({})) == wanted
  other = {'name': 'completion_generator', 'options': options}
  assert not deepens(record(change), other)
