"""Whole images: how fast, at what loss, in how much memory."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from experiments.benchmarks import apart, timing

_SIDE = 512
_STRIDES = (1, 2, 3, 4)
# A 12-megapixel photograph.
_LARGE = (3000, 4000)


def cases(
  rounds: int, wanted: Callable[[str], bool], *, workdir: str
) -> Iterator[dict[str, Any]]:
  """Measures megapixels per second.

  Args:
    rounds: turns.
    wanted: whether a case of that name is.
    workdir: of a trained denoiser.

  Yields:
    Plain JSON: `case`, `unit`, `rows` of `timing.rows`, with the PSNR of each;
    and the memory that a large photograph takes.

  Raises:
    CheckpointError: nothing can be loaded.
    InputError: the model takes no Gaussian noise off.
  """
  from inpaintax import checkpoints
  from inpaintax.errors import InputError

  trained = checkpoints.load_generator(workdir)
  about = trained.record.get('noise', {})
  if about.get('name') != 'gaussian':
    raise InputError(f'--workdir={workdir}: takes no Gaussian noise off.')
  name = f'{_SIDE}x{_SIDE} sigma {about["sigma"]:g}'
  if wanted(name):
    yield {
      'case': name,
      'unit': 'megapixels',
      'rows': _rows(trained, about['sigma'], rounds),
    }
  name = f'{_LARGE[0]}x{_LARGE[1]}'
  if wanted(name):
    with apart.Apart(_large, workdir) as side:
      mib = side.peak_memory()
    yield {'case': name, 'unit': '', 'rows': [], 'peak_memory_mib': mib}


def _rows(trained, sigma, rounds):
  import numpy as np
  from skimage import data

  from inpaintax.baselines import DENOISERS
  from inpaintax.restore.denoising import make_denoiser

  clean = data.camera()[:_SIDE, :_SIDE].astype(np.float32)
  noise = np.random.default_rng(0).standard_normal(clean.shape) * sigma
  noisy = (clean + noise).astype(np.float32)
  methods = {
    f'inpaintax, stride {stride}': make_denoiser(trained, stride=stride)
    for stride in _STRIDES
  }
  methods['scikit-image non-local means'] = functools.partial(
    DENOISERS['nlm'], sigma=sigma
  )
  methods['OpenCV non-local means'] = functools.partial(_opencv, sigma=sigma)
  megapixels = clean.size / 1e6
  sides = [
    timing.Side(name, functools.partial(method, noisy), megapixels)
    for name, method in methods.items()
  ]
  seconds = timing.interleaved(sides, rounds=rounds, warmups=1)
  rows = timing.rows(sides, seconds, ours='inpaintax, stride 1')
  for row in rows:
    output = np.clip(methods[row['name']](noisy), 0, 255)
    error = float(np.square(output - clean).mean())
    row['psnr_db'] = 10 * np.log10(255**2 / error)
  return rows


def _opencv(noisy, *, sigma):
  import cv2
  import numpy as np

  levels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
  return cv2.fastNlMeansDenoising(levels, None, h=sigma).astype(np.float32)


def _large(workdir):
  import numpy as np

  from inpaintax import checkpoints
  from inpaintax.restore import denoising

  trained = checkpoints.load_generator(workdir)
  # Side by side: memory does not depend on the stride.
  stride = denoising.output_side(trained.record)
  denoise = denoising.make_denoiser(trained, stride=stride)
  image = np.zeros(_LARGE, np.uint8)
  return functools.partial(denoising.denoise_image, image, denoise)
