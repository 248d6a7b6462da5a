"""Denoisers of patches: whole images, and how they are measured."""

import io
import math

import jax
import numpy as np
import PIL.Image
import pytest
from jax import numpy as jnp

from inpaintax import baselines, checkpoints, models
from inpaintax.errors import InputError
from inpaintax.evaluate import denoising
from inpaintax.restore.denoising import estimated_sigma, make_denoiser

RNG = np.random.default_rng(0)


class Greys:
  """A source of grey images of given sizes, far from black and white."""

  def __init__(self, *sizes):
    self._images = [
      RNG.integers(120, 136, size).astype(np.uint8) for size in sizes
    ]

  def __len__(self):
    return len(self._images)

  def __getitem__(self, number):
    return np.stack([self._images[number]] * 3, axis=-1)

  def name(self, number):
    return f'grey {number}'


def identity(side, output_side=None):
  """A trained network whose output is its input."""
  options = {
    'side': side,
    'hidden': [side**2],
    'output_side': output_side,
    'activation': 'linear',
    'keep_mean': False,
  }
  record = {
    'generator': {'name': 'stacked_autoencoder', 'options': options},
    'image_size': side,
  }
  module = models.build(record['generator'])
  params = module.init(
    jax.random.key(0), jnp.zeros((1, side, side, 1)), train=False
  )['params']
  eye = np.eye(side**2).reshape(side, side, -1)
  edge = (side - (output_side or side)) // 2
  out = eye[edge : side - edge, edge : side - edge].reshape(-1, side**2)
  params = jax.tree.map(np.asarray, params)
  params['encoders_0']['kernel'] = np.eye(side**2, dtype=np.float32)
  params['decoders_0']['kernel'] = out.T.astype(np.float32)
  return checkpoints.Trained(1, record, {'params': params, 'batch_stats': {}})


@pytest.mark.parametrize('shape', [(12, 17), (12, 17, 3)])
@pytest.mark.parametrize('output_side', [None, 3])
@pytest.mark.parametrize('stride', [1, 2])
def test_an_identity_gives_images_of_any_size_back(shape, output_side, stride):
  # On the scale of 0..255, and beyond it: noise is not clipped.
  noisy = RNG.uniform(-40, 300, shape).astype(np.float32)
  denoise = make_denoiser(
    identity(5, output_side), stride=stride, batch_size=16
  )
  np.testing.assert_allclose(denoise(noisy), noisy, atol=2e-3)


@pytest.mark.parametrize('stride', [0, 4])
def test_a_stride_that_leaves_gaps_is_refused(stride):
  with pytest.raises(ValueError, match=r'stride must be in 1\.\.3'):
    make_denoiser(identity(5, 3), stride=stride)


def test_an_image_smaller_than_a_patch_comes_back():
  image = np.arange(36, dtype=np.float32).reshape(4, 9)
  given = make_denoiser(identity(5))(image)
  np.testing.assert_allclose(given, image, atol=2e-3)


def test_no_pixels_and_no_batches_are_refused():
  with pytest.raises(InputError, match='without pixels'):
    make_denoiser(identity(5))(np.zeros((0, 9), np.float32))
  with pytest.raises(ValueError, match='batch_size'):
    make_denoiser(identity(5), batch_size=0)


@pytest.mark.filterwarnings('error')
def test_the_noise_of_an_image_is_estimated_and_a_flat_one_has_none():
  rng = np.random.default_rng(0)
  noise = 10 * rng.standard_normal((64, 64))
  noisy = np.rint(np.clip(120 + noise, 0, 255)).astype(np.uint8)
  assert estimated_sigma(noisy) == pytest.approx(10, rel=0.1)
  flat = np.full((64, 64), 7, np.uint8)
  for level in (0, 7, 255):
    assert estimated_sigma(np.full_like(flat, level)) < 1e-6
  # The mean over channels.
  half = estimated_sigma(np.stack([noisy, flat, noisy, flat], axis=-1))
  assert half == pytest.approx(estimated_sigma(noisy) / 2)


def test_the_figures_of_the_noise_itself_and_of_a_perfect_denoiser():
  source = Greys((96, 64), (64, 80))
  perfect = denoising.Denoiser(
    'perfect',
    lambda noisy, _: next(
      source[i][..., 0].astype(np.float32)
      for i in range(2)
      if source[i].shape[:2] == noisy.shape
    ),
  )
  found = denoising.compare([perfect], source, denoising.gaussian(25))
  noisy, best = found.rows
  assert (noisy['method'], best['method']) == ('input', 'perfect')
  expected = 20 * math.log10(255 / 25)
  assert abs(noisy['psnr_db'] - expected) < 4 * 4.34 * math.sqrt(1 / 5632)
  assert noisy['sharpness'] > 2
  assert best['psnr_db'] == 100 and best['l1_percent'] == 0
  assert best['ssim'] == pytest.approx(1) and best['sharpness'] == 1
  # Pictures are central squares of one size.
  assert {name: p.shape for name, p in found.pictures} == dict.fromkeys(
    ('original', 'input', 'perfect'), (2, 64, 64, 3)
  )
  np.testing.assert_array_equal(found.pictures[0][1][0], source[0][16:80])


def test_an_image_has_the_same_noise_whatever_else_is_measured():
  source = Greys((32, 32), (32, 40), (40, 32))
  psnr = lambda found: found.per_image['input']['psnr_db']
  whole = denoising.compare([], source, denoising.gaussian(10))
  first = denoising.compare([], source, denoising.gaussian(10), limit=1)
  assert psnr(whole)[:1].tolist() == psnr(first).tolist()
  assert (
    psnr(denoising.compare([], source, denoising.gaussian(10, seed=1)))[0]
    != psnr(whole)[0]
  )


def test_outputs_are_clipped_but_not_rounded():
  source = Greys((16, 16))
  clean = source[0][..., 0].astype(np.float32)
  for shift, psnr in ((0.25, -20 * math.log10(0.25 / 255)), (1e4, None)):
    shifted = denoising.Denoiser('shift', lambda *_, s=shift: clean + s)
    row = denoising.compare([shifted], source, denoising.gaussian(1)).rows[1]
    if psnr is None:  # All white.
      error = np.mean(np.square((255 - clean) / 255))
      psnr = -10 * math.log10(error)
    assert row['psnr_db'] == pytest.approx(psnr, abs=1e-3)


def test_text_is_measured_over_the_image_and_under_the_text():
  source = Greys((64, 64), (48, 64))
  told = denoising.Denoiser(
    'told', lambda observed, marked: np.where(marked, 128, observed)
  )
  found = denoising.compare([told], source, denoising.superimposed((12, 18)))
  figures = found.per_image['told']
  # All error is under the text, on 15 % of the pixels or little more.
  share = 10 ** ((figures['marked_psnr_db'] - figures['psnr_db']) / 10)
  assert (share >= 0.15).all() and (share < 0.25).all()
  assert found.rows[1]['marked_psnr_db'] == figures['marked_psnr_db'].mean()
  # Grey levels from 120 to 136: none is further from 128 than 8.
  assert (figures['marked_psnr_db'] > 20 * math.log10(255 / 8)).all()
  # Each image has text of its own, whatever else is measured.
  given = found.per_image['input']['psnr_db']
  first = denoising.compare(
    [], source, denoising.superimposed((12, 18)), limit=1
  )
  assert first.per_image['input']['psnr_db'][0] == given[0] != given[1]


def test_text_may_be_saved_as_a_jpeg_before():
  clean = Greys((64, 64))[0][..., 0]
  plain, marked = denoising.superimposed((12, 12)).apply(clean, 0)
  saved = denoising.superimposed((12, 12), quality=50)
  found, same = saved.apply(clean, 0)
  np.testing.assert_array_equal(same, marked)
  file = io.BytesIO()
  levels = PIL.Image.fromarray(np.rint(plain).astype(np.uint8))
  levels.save(file, 'JPEG', quality=50)
  np.testing.assert_array_equal(found, np.asarray(PIL.Image.open(file)))
  assert found.dtype == np.float32 and 'quality 50' in saved.protocol
  assert not np.array_equal(found, plain)


@pytest.mark.parametrize('name', ['telea', 'biharmonic'])
def test_a_filler_fills_what_is_marked_and_keeps_the_rest(name):
  ramp = np.add.outer(np.arange(40.0), np.arange(50.0)).astype(np.float32)
  marked = np.zeros(ramp.shape, bool)
  marked[10:14, 20:40] = True
  observed = np.where(marked, np.float32(255), ramp + np.float32(0.25))
  filled = denoising.filler(name).denoise(observed, marked)
  np.testing.assert_array_equal(filled[~marked], observed[~marked])
  np.testing.assert_allclose(filled[marked], ramp[marked], atol=3)


def test_an_empty_source_is_refused():
  with pytest.raises(InputError, match='empty'):
    denoising.compare([], Greys(), denoising.gaussian(25))


@pytest.mark.parametrize('name', baselines.DENOISERS)
@pytest.mark.parametrize('sigma', [15, 30, 50])
def test_classical_denoisers_take_noise_off(name, sigma):
  ramp = np.add.outer(np.linspace(20, 200, 64), np.linspace(0, 40, 48))
  noisy = (ramp + sigma * RNG.standard_normal(ramp.shape)).astype(np.float32)
  given = baselines.DENOISERS[name](noisy.copy(), sigma)
  assert given.shape == noisy.shape and given.dtype == np.float32
  error = lambda image: np.sqrt(np.mean(np.square(image - ramp)))
  assert error(given) < 0.55 * sigma


@pytest.mark.parametrize('names', [('input',), ('original',), ('a', 'a')])
def test_rows_that_would_be_taken_for_one_another_are_refused(names):
  same = [denoising.Denoiser(name, lambda noisy, _: noisy) for name in names]
  with pytest.raises(InputError, match='each row needs a name of its own'):
    denoising.compare(same, Greys((16, 16)), denoising.gaussian(25))
