"""The flags that say what lies over an image, and what they mean."""

import functools
from typing import Any

from absl import flags

NOISE = flags.DEFINE_enum(
  'noise',
  None,
  ['gaussian', 'text'],
  'What denoisers take away: noise, or superimposed text.',
)
SIGMA = flags.DEFINE_float(
  'sigma',
  25.0,
  'Standard deviation of Gaussian noise, grey levels of 0..255.',
  lower_bound=0.1,
  upper_bound=1000.0,
)
_FONT_SIZES = flags.DEFINE_list(
  'font_sizes',
  '18,36',
  'The smallest and the largest font size of text, pixels; or the only one.',
)
STRIDE = flags.DEFINE_integer(
  'stride',
  None,
  "Between a denoiser's patches, pixels; none: what suits the model, mostly 1.",
  lower_bound=1,
)


def font_sizes() -> tuple[int, int]:
  """The smallest and the largest.

  Returns:
    Pixels.

  Raises:
    InputError: the flag does not say them.
  """
  from inpaintax.corruptions import text
  from inpaintax.errors import InputError

  given = _FONT_SIZES.value
  if len(given) not in (1, 2) or not all(n.isdecimal() for n in given):
    raise InputError(
      f'--font_sizes={",".join(given)}: give one or two whole numbers: 18,36.'
    )
  low, high = int(given[0]), int(given[-1])
  least, most = text.SIZES
  if not least <= low <= high <= most:
    raise InputError(
      f'--font_sizes={low},{high} must rise, from {least} to {most}.'
    )
  return low, high


def described(kind: str, sigma_max: float | None = None) -> dict[str, Any]:
  """What the flags say, as a checkpoint's record has it.

  Args:
    kind: of --noise.
    sigma_max: where noise levels end that begin at --sigma; None: only that.

  Returns:
    Plain JSON.

  Raises:
    InputError: a flag is out of range.
  """
  if kind == 'text':
    return {'name': kind, 'font_sizes': list(font_sizes())}
  about = {'name': kind, 'sigma': SIGMA.value}
  return about if sigma_max is None else about | {'sigma_max': sigma_max}


def corruption(
  about: dict[str, Any], *, seed: int, quality: int | None = None
) -> Any:
  """What images are measured with.

  Args:
    about: of `described`; of several noise levels, the middle one counts.
    seed: of noise or text.
    quality: of the JPEGs that images with text were saved as; None: of none.

  Returns:
    The `inpaintax.evaluate.denoising.Corruption`.
  """
  from inpaintax.evaluate import denoising

  if about['name'] == 'text':
    low, high = about['font_sizes']
    return denoising.superimposed((low, high), seed=seed, quality=quality)
  return denoising.gaussian(sum(levels(about)) / 2, seed=seed)


def levels(about: dict[str, Any]) -> tuple[float, float]:
  """Noise levels.

  Args:
    about: of `described`, of Gaussian noise.

  Returns:
    The lowest and the highest standard deviation, grey levels.
  """
  return about['sigma'], about.get('sigma_max', about['sigma'])


def model(name: str, trained: Any, *, stride: int) -> Any:
  """A trained model among what is compared.

  Args:
    name: of its row.
    trained: the model.
    stride: between patches, pixels, of `checked_stride`.

  Returns:
    The `inpaintax.evaluate.denoising.Denoiser`, a blind one.
  """
  from inpaintax.evaluate import denoising
  from inpaintax.restore.denoising import make_denoiser

  return denoising.Denoiser(name, _blind(make_denoiser(trained, stride=stride)))


def checked_stride(name: str, trained: Any, stride: int | None) -> int:
  """Refuses a stride that leaves gaps.

  Args:
    name: of the model, for the error.
    trained: the model.
    stride: between patches, pixels; None: what suits the model.

  Returns:
    The stride.

  Raises:
    InputError: it is more than the side of what the model restores.
  """
  from inpaintax.errors import InputError
  from inpaintax.restore.denoising import best_stride, output_side

  if stride is None:
    return best_stride(trained.record)
  most = output_side(trained.record)
  if stride > most:
    raise InputError(
      f'--stride={stride}: {name} restores patches of {most} pixels, and would'
      ' leave gaps.'
    )
  return stride


def check_task(workdir: str, about: dict[str, Any]) -> None:
  """Refuses flags that say other than what a model is for.

  Args:
    workdir: of the model.
    about: `noise` of its record.

  Raises:
    InputError: says which flag, and what would do.
  """
  from inpaintax.errors import InputError

  where, kind = f'--workdir={workdir}', about['name']
  if NOISE.value not in (None, kind):
    raise InputError(f'--noise={NOISE.value}: {where} is for {kind}.')
  if not flags.FLAGS['sigma'].present:
    return
  sigma = SIGMA.value
  if kind != 'gaussian':
    raise InputError(f'--sigma={sigma:g}: {where} takes off {kind}, not noise.')
  low, high = levels(about)
  if not low <= sigma <= high:
    span = f'{low:g}' if low == high else f'{low:g} to {high:g}'
    raise InputError(
      f'--sigma={sigma:g}: {where} was trained for noise of {span}: give a'
      ' model of that level, or leave --sigma out.'
    )


def baselines() -> dict[str, Any]:
  """The classical methods for --noise.

  Returns:
    A `inpaintax.evaluate.denoising.Denoiser` by each name.
  """
  from inpaintax.baselines import DENOISERS
  from inpaintax.evaluate import denoising

  classical = {
    name: denoising.Denoiser(
      name, _blind(functools.partial(denoise, sigma=SIGMA.value))
    )
    for name, denoise in DENOISERS.items()
  }
  if NOISE.value == 'gaussian':
    return classical
  fillers = {name: denoising.filler(name) for name in ('telea', 'biharmonic')}
  return {'median': classical['median']} | fillers


def _blind(denoise):
  """One that is not told where the corruption is."""
  return lambda observed, _: denoise(observed)


def measure(
  trained: dict[str, Any],
  names: list[str],
  source: Any,
  *,
  seed: int,
  quality: int | None,
  **options: Any,
) -> tuple[Any, str, dict[str, Any]]:
  """Compares denoisers.

  Args:
    trained: models by the name of their row.
    names: of classical methods.
    source: clean photographs.
    seed: of noise, or text, and intervals.
    quality: as for `corruption`.
    **options: of `inpaintax.evaluate.denoising.compare`.

  Returns:
    (the evaluation, what its figures are of, the flags that it depends on).

  Raises:
    InputError: a model is for something else.
  """
  from inpaintax.errors import InputError
  from inpaintax.evaluate import denoising

  about = described(str(NOISE.value))
  for name, one in trained.items():
    trained_for = one.record['noise']
    if trained_for['name'] != about['name']:
      raise InputError(
        f'--noise={about["name"]}: {name} is for {trained_for["name"]}.'
      )
    if trained_for != about:
      print(f'{name} was trained for other noise: {trained_for}.', flush=True)
  classical = baselines()
  strides = {
    name: checked_stride(name, one, STRIDE.value)
    for name, one in trained.items()
  }
  denoisers = [
    model(name, one, stride=strides[name]) for name, one in trained.items()
  ]
  denoisers += [classical[name] for name in names]
  done = corruption(about, seed=seed, quality=quality)
  found = denoising.compare(denoisers, source, done, seed=seed, **options)
  details = {'noise': about, 'jpeg': quality, 'strides': strides}
  return found, done.protocol, details
