import jax
import numpy as np
import pytest
from jax import export
from jax import numpy as jnp

from inpaintax.models.ssda import StackedAutoencoder


def start(module, batch=5):
  """(variables, patches)."""
  shape = (batch, module.side, module.side, 1)
  patches = jax.random.uniform(jax.random.key(0), shape, minval=-1, maxval=1)
  return module.init(jax.random.key(1), patches, train=True), patches


def count(module):
  image = jnp.zeros((1, module.side, module.side, 1))
  tree = jax.eval_shape(
    lambda: module.init(jax.random.key(0), image, train=True)
  )
  return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
  'side, parameters',
  [
    (8, 246_784),
    (10, 601_600),
    (11, 880_396),
    (12, 1_246_464),
    (14, 2_308_096),
    (16, 3_936_256),
    (17, 5_015_884),
  ],
)
def test_two_layers_of_five_times_the_patch_have_their_parameters(
  side, parameters
):
  hidden = (5 * side**2,) * 2
  assert count(StackedAutoencoder(side, hidden)) == parameters


def test_one_auto_encoder_has_its_parameters():
  assert count(StackedAutoencoder(8, (320,))) == 41_344
  assert count(StackedAutoencoder(16, (1280,))) == 656_896


@pytest.mark.parametrize('keep_mean', [True, False])
def test_codes_are_undone_exactly(keep_mean):
  module = StackedAutoencoder(
    4, (3,), keep_mean=keep_mean, center=0.5, gain=0.4
  )
  variables, patches = start(module)
  bound = module.bind(variables)
  code, mean = bound.code(patches)
  np.testing.assert_allclose(bound.pixels(code, mean), patches, atol=1e-6)
  expected = 0 if keep_mean else patches.mean((1, 2))
  np.testing.assert_allclose(mean, expected + 0 * mean, atol=1e-6)
  # The clean patch is coded with the mean of the noisy one.
  np.testing.assert_allclose(
    bound.code(patches + 0.1, mean=mean)[0], code + 0.04, atol=1e-6
  )


def test_the_range_of_the_naive_reading_is_0_1_to_0_9():
  module = StackedAutoencoder(2, (3,), center=0.5, gain=0.4)
  ends = jnp.array([-1.0, 1.0, 0.0, 0.5]).reshape(1, 2, 2, 1)
  code, _ = module.bind(start(module)[0]).code(ends)
  np.testing.assert_allclose(code[0], [0.1, 0.9, 0.5, 0.7], rtol=1e-6)


def test_a_limit_clips_codes():
  module = StackedAutoencoder(2, (3,), center=0.5, gain=1.0, limit=0.4)
  ends = jnp.array([-1.0, 1.0, 0.3, 0.0]).reshape(1, 2, 2, 1)
  code, _ = module.bind(start(module)[0]).code(ends)
  np.testing.assert_allclose(code[0], [0.1, 0.9, 0.8, 0.5], rtol=1e-6)


def test_without_weights_all_units_and_outputs_are_one_half():
  module = StackedAutoencoder(3, (4, 4), output='sigmoid', center=0.5, gain=0.4)
  variables, patches = start(module)
  bound = module.bind(jax.tree.map(jnp.zeros_like, variables))
  code, _ = bound.code(patches)
  assert (bound.encode(code, 2) == 0.5).all()
  assert (bound.denoise(code) == 0.5).all()
  np.testing.assert_allclose(
    bound(patches, train=False), 0 * patches, atol=1e-7
  )


def test_the_network_is_its_auto_encoders_unrolled():
  module = StackedAutoencoder(4, (6, 5), activation='tanh')
  variables, patches = start(module)
  bound = module.bind(variables)
  code, mean = bound.code(patches)
  p = variables['params']
  dense = lambda x, name: x @ p[name]['kernel'] + p[name]['bias'][None]
  h1 = jnp.tanh(dense(code, 'encoders_0'))
  h2 = jnp.tanh(dense(h1, 'encoders_1'))
  back = jnp.tanh(dense(h2, 'decoders_1'))
  np.testing.assert_allclose(bound.encode(code, 1), h1, rtol=1e-6)
  hidden, rebuilt = bound.autoencoder(h1, 1)
  np.testing.assert_allclose(hidden, h2, rtol=1e-6)
  np.testing.assert_allclose(rebuilt, back, rtol=1e-6)
  np.testing.assert_allclose(
    bound(patches, train=False),
    bound.pixels(dense(back, 'decoders_0'), mean),
    rtol=1e-5,
    atol=1e-6,
  )


def test_a_smaller_output_is_the_central_part():
  module = StackedAutoencoder(5, (4,), output_side=3)
  variables, patches = start(module)
  assert module.apply(variables, patches, train=False).shape == (5, 3, 3, 1)
  bound = module.bind(variables)
  code, mean = bound.code(patches)
  np.testing.assert_allclose(
    bound.pixels(bound.central(code), mean), patches[:, 1:-1, 1:-1], atol=1e-6
  )


def test_what_does_not_fit_is_refused():
  for options, said in [
    ({'activation': 'swish'}, 'unknown activation'),
    ({'output': 'clip'}, 'unknown activation'),
    ({'output_side': 12}, 'no exact centre'),
    ({'output_side': 15}, 'no exact centre'),
  ]:
    with pytest.raises(ValueError, match=said):
      start(StackedAutoencoder(13, (4,), **options))
  with pytest.raises(AssertionError):
    StackedAutoencoder(5, (4,)).init(
      jax.random.key(0), jnp.zeros((2, 4, 4, 1)), train=True
    )


def gated(bias):
  """A network of zeros whose gates all have one bias, and what it is given."""
  model = StackedAutoencoder(5, (7, 6), 3, gated=True, gain=2.0)
  patches = jax.random.normal(jax.random.key(1), (4, 5, 5, 1))
  params = model.init(jax.random.key(0), patches, train=False)['params']
  zero = jax.tree.map(jnp.zeros_like, params)
  predicted = jnp.arange(9) / 4
  zero['decoders_0']['bias'] = jnp.append(predicted, jnp.full(9, bias))
  return model.bind({'params': zero}), patches, predicted.reshape(1, 3, 3, 1)


def test_gates_mix_what_is_seen_and_what_is_predicted():
  for bias, share in [(-1e3, 0.0), (1e3, 1.0), (np.log(3.0), 0.75)]:
    bound, patches, predicted = gated(bias)
    mixed = share * predicted / 2 + (1 - share) * patches[:, 1:4, 1:4]
    np.testing.assert_allclose(
      bound(patches, train=False), mixed, rtol=1e-5, atol=1e-5
    )


def test_alone_only_the_first_auto_encoder_has_gates():
  bound, patches, _ = gated(-1e3)
  code, _ = bound.code(patches)
  _, first = bound.autoencoder(code, 0)
  np.testing.assert_array_equal(first, bound.central(code))
  _, second = bound.autoencoder(code[:, :7], 1)
  np.testing.assert_array_equal(second, jnp.full((4, 7), 0.5))


@pytest.mark.parametrize('gated', [False, True])
def test_no_patches_and_any_number_of_them(gated):
  module = StackedAutoencoder(4, (6, 3), output_side=2, gated=gated)
  variables, patches = start(module)
  apply = jax.jit(lambda patches: module.apply(variables, patches, train=False))
  assert apply(patches[:0]).shape == (0, 2, 2, 1)
  (batch,) = export.symbolic_shape('batch')
  some = jax.ShapeDtypeStruct((batch, 4, 4, 1), jnp.float32)
  exported = export.export(apply)(some)
  for part in (patches, patches[:2]):
    np.testing.assert_allclose(exported.call(part), apply(part), atol=1e-6)


@pytest.mark.parametrize(
  'method, layer, told',
  [
    ('encode', -1, 'depth must be in 0..2, got -1'),
    ('encode', 3, 'depth must be in 0..2, got 3'),
    ('autoencoder', -1, 'layer must be in 0..1, got -1'),
    ('autoencoder', 2, 'layer must be in 0..1, got 2'),
  ],
)
def test_layers_that_it_has_not_are_refused(method, layer, told):
  module = StackedAutoencoder(4, (6, 3))
  variables, patches = start(module)
  with pytest.raises(ValueError, match=told):
    module.apply(variables, patches.reshape(5, 16), layer, method=method)


@pytest.mark.parametrize('method, more', [('denoise', ()), ('encode', (1,))])
def test_one_code_is_no_batch_of_them(method, more):
  module = StackedAutoencoder(4, (6, 3))
  variables, patches = start(module)
  with pytest.raises(AssertionError):
    module.apply(variables, patches[0].reshape(16), *more, method=method)
