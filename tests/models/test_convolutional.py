"""Stacks whose places share their weights."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.models.convolutional import ConvolutionalAutoencoder
from inpaintax.steps import pretraining
from inpaintax.types import Sample


def linear(tap, *, side=12, output_side=8, cell=2):
  """One layer that passes on the cell at `tap` of the three by three."""
  module = ConvolutionalAutoencoder(
    side, (cell**2,), output_side, 'linear', cell=cell
  )
  kernels = np.zeros((2, 3, 3, cell**2, cell**2), np.float32)
  kernels[0][tap] = kernels[1, 1, 1] = np.eye(cell**2)
  params = {
    name: {'kernel': kernel, 'bias': np.zeros(cell**2, np.float32)}
    for name, kernel in zip(('encoders_0', 'decoders_0'), kernels, strict=True)
  }
  return module.bind({'params': params})


def patches(side=12, count=3):
  return jax.random.normal(jax.random.key(1), (count, side, side, 1))


def test_the_middle_tap_gives_the_central_part_back():
  given = patches()
  found = linear((1, 1))(given, train=False)
  np.testing.assert_allclose(found, given[:, 2:-2, 2:-2], rtol=1e-6)


def test_another_tap_gives_the_cell_beside():
  given = patches()
  found = linear((0, 2))(given, train=False)
  # Above and to the right: two pixels, a cell's side.
  np.testing.assert_allclose(found, given[:, :-4, 4:], rtol=1e-6)


def test_a_pixel_sees_twice_as_many_cells_around_it_as_there_are_layers():
  module = ConvolutionalAutoencoder(30, (5, 4), 2, 'linear', cell=2, gated=True)
  given = patches(30, 1)
  params = module.init(jax.random.key(0), given, train=False)
  grad = jax.grad(lambda x: module.apply(params, x, train=False)[0, 0, 0, 0])
  seen = np.flatnonzero(np.abs(np.asarray(grad(given))[0, ..., 0]).sum(1))
  # Its cell is rows 14 and 15; K = 2 layers up and down see 4 cells further.
  assert (seen.min(), seen.max()) == (14 - 8, 15 + 8)


def test_the_number_of_its_parameters_is_that_of_its_convolutions():
  module = ConvolutionalAutoencoder(
    64, (128, 128, 128), 48, 'relu', gated=True, cell=4
  )
  shapes = jax.eval_shape(
    lambda: module.init(jax.random.key(0), patches(64), train=False)
  )
  count = sum(x.size for x in jax.tree.leaves(shapes))
  inner = 4 * (9 * 128 * 128 + 128)
  assert count == (9 * 16 * 128 + 128) + inner + (9 * 128 * 32 + 32)


def test_alone_its_second_auto_encoder_has_a_sample_in_each_cell():
  module = ConvolutionalAutoencoder(6, (4, 3), 6, 'tanh', cell=2)
  noisy, clean = patches(6), patches(6)[::-1]
  params = module.init(jax.random.key(0), noisy, train=False)['params']
  loss = pretraining.make_stage_loss(module, stage=1, beta=0, weight_decay=0)
  found, _ = loss(params, Sample(noisy, clean, jnp.ones_like(noisy)))
  bound = module.bind({'params': params})
  below, wanted = (
    np.asarray(bound.encode(bound.code(x)[0], 1)) for x in (noisy, clean)
  )
  output = np.asarray(bound.autoencoder(below, 1)[1])
  assert output.shape == (3, 3, 3, 4)
  each = 0.5 * np.square(output - wanted).sum(-1)
  np.testing.assert_allclose(found, each.mean(), rtol=1e-5)


@pytest.mark.parametrize('options', [(10, 10, 4), (12, 10, 2), (12, 6, 4)])
def test_cells_that_do_not_fit_are_refused(options):
  side, out, cell = options
  with pytest.raises(ValueError, match=f'cells of {cell} pixels'):
    ConvolutionalAutoencoder(side, (3,), out, cell=cell).init(
      jax.random.key(0), patches(side), train=False
    )
