"""Stacks whose places share their weights."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.models.convolutional import ConvolutionalAutoencoder
from inpaintax.models.pull_push import pull_push
from inpaintax.steps import pretraining
from inpaintax.types import Sample

MIDDLE = (1, 1)
# Of each pixel the first layer sees its code, then how like it its neighbours
# are: these many rows down and columns right, within so many grey levels.
NEIGHBOURS = [
  (0, 1, 1),
  (1, 0, 1),
  (1, 1, 1),
  (1, -1, 1),
  (0, 2, 1),
  (2, 0, 1),
  (0, 1, 8),
  (1, 0, 8),
]
SEEN = 1 + len(NEIGHBOURS)
# Of the first layer's convolutions, before each its gates.
GATES = ('Conv_0', 'Conv_2')


def patches(side=12, count=3):
  return jax.random.normal(jax.random.key(1), (count, side, side, 1))


def silent(module):
  """Its parameters, all 0."""
  given = jax.ShapeDtypeStruct((1, module.side, module.side, 1), jnp.float32)
  shapes = jax.eval_shape(
    lambda x: module.init(jax.random.key(0), x, train=False), given
  )
  return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes['params'])


def passing(module, params, *names, tap=MIDDLE, plane=0):
  """Lets the first units of layers through, those of the first at `tap`."""
  count = module.cell**2
  for name in names:
    for conv in params[name]:
      kernel = params[name][conv]['kernel']
      if name != 'encoders_0':
        kernel[MIDDLE][:count, :count] = np.eye(count)
      elif kernel.shape[2] == SEEN * count and conv not in GATES:
        kernel[tap][plane::SEEN, :count] = np.eye(count)
      elif conv not in GATES:
        kernel[MIDDLE][:count, :count] = np.eye(count)
  return module.bind({'params': params})


def linear(tap=MIDDLE, *, side=12, output_side=8, cell=2, **options):
  """One layer that passes on the cell at `tap` of the three by three."""
  module = ConvolutionalAutoencoder(
    side, (cell**2,), output_side, 'linear', cell=cell
  )
  return passing(
    module, silent(module), 'encoders_0', 'decoders_0', tap=tap, **options
  )


@pytest.mark.parametrize('edge', [0, 1, 2])
def test_the_middle_tap_gives_the_central_part_back(edge):
  given = patches()
  part = slice(edge, 12 - edge)  # Of cells too, some halved.
  found = linear(MIDDLE, output_side=12 - 2 * edge)(given, train=False)
  np.testing.assert_allclose(found, given[:, part, part], rtol=1e-6)


def test_another_tap_gives_the_cell_beside():
  given = patches()
  found = linear((0, 2))(given, train=False)
  # Above and to the right: two pixels, a cell's side.
  np.testing.assert_allclose(found, given[:, :-4, 4:], rtol=1e-6)


@pytest.mark.parametrize('plane', range(1, SEEN))
def test_the_first_layer_sees_how_like_a_pixel_its_neighbours_are(plane):
  levels = np.random.default_rng(0).integers(100, 104, (2, 12, 12))
  levels[:, 4:8] *= 2
  down, right, scale = NEIGHBOURS[plane - 1]
  module = linear(plane=plane)
  given = (levels[..., None] / 127.5 - 1).astype(np.float32)
  found = module.gain * np.asarray(module(given, train=False))[..., 0]
  other = np.roll(levels, (-down, -right), (1, 2))
  expected = np.exp(-(((other - levels) / scale) ** 2.0))
  np.testing.assert_allclose(found, expected[:, 2:-2, 2:-2], atol=1e-4)


def test_beyond_the_patch_nothing_is_alike():
  module = linear(plane=6, output_side=12)  # Two rows down.
  found = module(np.zeros((1, 12, 12, 1), np.float32), train=False)
  np.testing.assert_array_equal(found[:, -2:], 0)
  np.testing.assert_allclose(module.gain * found[:, :-2], 1, rtol=1e-6)


@pytest.mark.parametrize('gates', GATES)
def test_what_a_gate_keeps_outside_is_not_seen(gates):
  module = linear()
  params = module.variables['params']
  params['encoders_0'][gates]['bias'][:] = [-1e4, 0, 0, 0]
  found = np.array(module(patches(), train=False))
  np.testing.assert_array_equal(found[:, ::2, ::2], 0)
  np.testing.assert_allclose(
    found[:, 1::2, 1::2], patches()[:, 3:-2:2, 3:-2:2], rtol=1e-6
  )


def gated():
  """One layer with gates that open where a pixel is brighter than 0.5."""
  module = ConvolutionalAutoencoder(16, (4,), 12, 'linear', cell=2, gated=True)
  params = silent(module)
  passing(module, {'encoders_0': params['encoders_0']}, 'encoders_0')
  leave = params['decoders_0']
  leave['Conv_0']['kernel'][MIDDLE] = np.eye(4)
  leave['Conv_1']['kernel'][MIDDLE] = 1e6 * np.eye(4)
  leave['Conv_1']['bias'][:] = -1e6 * 0.5 * module.gain
  return module, params


def test_behind_open_gates_lies_what_is_around():
  module, params = gated()
  given = jax.random.uniform(jax.random.key(3), (2, 16, 16, 1))
  found = module.apply({'params': params}, given, train=False)
  dark = (given < 0.5).astype(jnp.float32)
  expected = jnp.where(dark > 0, given, pull_push(given, dark))[:, 2:-2, 2:-2]
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_behind_open_gates_it_may_be_changed_and_elsewhere_not():
  module, params = gated()
  given = jax.random.uniform(jax.random.key(3), (2, 16, 16, 1))
  before = module.apply({'params': params}, given, train=False)
  jax.block_until_ready(before)  # It may read the parameters where they lie.
  params['decoders_0']['Conv_4']['bias'][:] = 0.3 * module.gain
  after = module.apply({'params': params}, given, train=False)
  bright = np.asarray(given[:, 2:-2, 2:-2] > 0.5)
  np.testing.assert_allclose(after - before, 0.3 * bright, atol=1e-5)


def test_gradients_are_finite_where_pixels_are_equal_and_at_the_edge():
  module = ConvolutionalAutoencoder(8, (4,), cell=2, gated=True)
  given = jnp.zeros((1, 8, 8, 1)).at[:, 4:].set(1)
  params = module.init(jax.random.key(0), given, train=False)
  grad = jax.grad(lambda x: module.apply(params, x, train=False).sum())(given)
  assert np.isfinite(grad).all()


def test_filters_are_those_of_pixels_as_they_lie():
  module = ConvolutionalAutoencoder(12, (3,), cell=2)
  params, side = silent(module), 3 * 2  # Of what the first convolution sees.
  place = np.arange(side**2).reshape(3, 2, 3, 2).swapaxes(1, 2)
  kernel = params['encoders_0']['Conv_1']['kernel']
  kernel.reshape(3, 3, 4, SEEN, 3)[..., 0, :] = place.reshape(3, 3, 4, 1)
  found = module.filters(params)
  np.testing.assert_array_equal(
    found, np.broadcast_to(np.arange(side**2)[:, None], (side**2, 3))
  )


def test_what_the_first_layer_sees_takes_the_short_cut():
  module = ConvolutionalAutoencoder(16, (4, 8, 8), 12, 'linear', cell=2)
  # The layers above say nothing: half the variance of each sum is what is left.
  bound = passing(module, silent(module), 'encoders_0', 'decoders_0')
  found = bound(patches(16), train=False)
  np.testing.assert_allclose(
    found, np.sqrt(0.5) * patches(16)[:, 2:-2, 2:-2], rtol=1e-6
  )


def test_each_unit_above_becomes_a_square_below():
  module = ConvolutionalAutoencoder(8, (4, 8), 8, 'linear', cell=2)
  params = silent(module)
  # Unit 0 of every place above says 1, and to the four places under it, in the
  # order of reading, 10, 20, 30 and 40.
  up = params['decoders_1']
  up['Conv_0']['bias'][0] = 1
  up['Conv_1']['kernel'][0, 0, 0, ::4] = [10, 20, 30, 40]
  below = np.zeros((1, 4, 4, 4), np.float32)
  bound = module.bind({'params': params})
  _, found = bound.autoencoder(below, 1)
  square = np.sqrt(0.5) * np.array([[10, 20], [30, 40]])
  np.testing.assert_allclose(found[0, :, :, 0], np.tile(square, (2, 2)))
  np.testing.assert_array_equal(found[..., 1:], 0)


def test_a_pixel_sees_as_far_as_the_layers_reach():
  module = ConvolutionalAutoencoder(64, (5, 4), 2, 'linear', cell=1)
  given = jnp.zeros((1, 64, 64, 1))  # Where likenesses have no slope.
  params = module.init(jax.random.key(0), given, train=False)
  grad = jax.grad(lambda x: module.apply(params, x, train=False)[0, 0, 0, 0])
  seen = np.flatnonzero(np.abs(np.asarray(grad(given))[0, ..., 0]).sum(1))
  # Row 31: two 3x3 convolutions at its own resolution reach rows 29 to 33;
  # these come from rows 14 to 16 above, and two more there from 12 to 18. With
  # stride 2 and SAME padding row i above sees 2i to 2i + 2; two convolutions of
  # the first layer reach 2 further.
  assert (seen.min(), seen.max()) == (2 * 12 - 2, 2 * 18 + 2 + 2)


def test_the_number_of_its_parameters_is_that_of_its_convolutions():
  module = ConvolutionalAutoencoder(
    96, (32, 64, 128), 80, 'relu', gated=True, cell=2
  )
  count = sum(x.size for x in jax.tree.leaves(silent(module)))
  three = lambda before, after: 9 * before * after + after
  one = lambda before, after: before * after + after
  # Each of the first layer's two has as many gates as units.
  up = 2 * three(SEEN * 4, 32) + three(32, 64) + three(64, 128)
  twice = 3 * three(32, 32) + 2 * (three(64, 64) + three(128, 128))
  down = one(64, 4 * 32) + one(128, 4 * 64)
  # Gates of four pixels; these and the fill join the units; then its change.
  leave = three(32, 4) + three(32 + 8, 32) + three(32, 32) + three(32, 4)
  assert count == up + twice + down + leave


def test_alone_its_second_auto_encoder_has_a_sample_in_each_place():
  module = ConvolutionalAutoencoder(12, (4, 3), 12, 'tanh', cell=2)
  noisy, clean = patches(12), patches(12)[::-1]
  params = module.init(jax.random.key(0), noisy, train=False)['params']
  loss = pretraining.make_stage_loss(module, stage=1, beta=0, weight_decay=0)
  found, _ = loss(params, Sample(noisy, clean, jnp.ones_like(noisy)))
  bound = module.bind({'params': params})
  below, wanted = (
    np.asarray(bound.encode(bound.code(x)[0], 1)) for x in (noisy, clean)
  )
  output = np.asarray(bound.autoencoder(below, 1)[1])
  assert output.shape == (3, 6, 6, 4)
  each = 0.5 * np.square(output - wanted).sum(-1)
  np.testing.assert_allclose(found, each.mean(), rtol=1e-5)


def test_weight_decay_is_that_of_every_kernel():
  module = ConvolutionalAutoencoder(12, (4, 3), 12, 'tanh', cell=2)
  given = patches(12)
  params = module.init(jax.random.key(0), given, train=False)['params']
  losses = [
    pretraining.make_stage_loss(module, stage=2, weight_decay=decay)(
      params, Sample(given, given, jnp.ones_like(given))
    )[0]
    for decay in (0.0, 1.0)
  ]
  kernels = [
    conv['kernel'] for layer in params.values() for conv in layer.values()
  ]
  assert len(kernels) == 10
  expected = 0.5 * sum(float(np.square(x).sum()) for x in kernels)
  np.testing.assert_allclose(losses[1] - losses[0], expected, rtol=1e-5)


@pytest.mark.parametrize('options', [(10, 4, 1), (12, 2, 3)])
def test_cells_that_do_not_fit_are_refused(options):
  side, cell, depth = options
  module = ConvolutionalAutoencoder(side, (3,) * depth, cell=cell)
  with pytest.raises(ValueError, match=f'cells of {cell} pixels'):
    module.init(jax.random.key(0), patches(side), train=False)
