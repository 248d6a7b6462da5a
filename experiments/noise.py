"""The flags that say what noise there is, and what they mean."""

import functools
from typing import Any

from absl import flags

NOISE = flags.DEFINE_enum(
  'noise', None, ['gaussian'], 'Measure denoisers, not the filling of holes.'
)
SIGMA = flags.DEFINE_float(
  'sigma',
  25.0,
  'Standard deviation of Gaussian noise, grey levels of 0..255.',
  lower_bound=0.0,
)
_STRIDE = flags.DEFINE_integer(
  'stride', 1, 'Between the patches of a denoiser, pixels.', lower_bound=1
)


def measure(
  trained: dict[str, Any], baselines: list[str], source: Any, **options: Any
) -> tuple[Any, str, dict[str, Any]]:
  """Compares denoisers.

  Args:
    trained: models by the name of their row.
    baselines: names of classical denoisers.
    source: clean photographs.
    **options: of `inpaintax.evaluate.denoising.compare`.

  Returns:
    (the evaluation, what its figures are of, the flags that it depends on).
  """
  from inpaintax.baselines import DENOISERS
  from inpaintax.evaluate import denoising
  from inpaintax.restore.denoising import make_denoiser

  sigma = SIGMA.value
  denoisers = [
    denoising.Denoiser(name, make_denoiser(model, stride=_STRIDE.value))
    for name, model in trained.items()
  ]
  denoisers += [
    denoising.Denoiser(name, functools.partial(DENOISERS[name], sigma=sigma))
    for name in baselines
  ]
  found = denoising.compare(denoisers, source, sigma=sigma, **options)
  details = {'noise': NOISE.value, 'sigma': sigma, 'stride': _STRIDE.value}
  return found, denoising.PROTOCOL, details
