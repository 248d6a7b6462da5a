"""Methods on the same images with the same holes: a table, and pictures.

Every figure is taken inside the hole, on the composite, on [0, 1] pixels
rounded to 8 bit, and in the same way for every method. No method is given what
is under the mask: the missing pixels are grey in the images it gets.

A row's figures are means of the images' own figures, each image counting alike
however large its hole; but for

- `psnr_of_mean_db`: the PSNR that belongs to the mean L2. The mean of PSNRs,
  which papers give, is 1.2 to 1.5 dB higher: `psnr_db`;
- `psnr_db_ci95`: where the mean of other images of the kind would lie, 19 times
  in 20: percentiles of the bootstrap over images;
- `sharpness`: the sum of the images' mean gradient magnitudes, divided by the
  sum of the originals'. Below 1 is blurred, above 1 too rough;
- `seconds_per_image`: in batches, by the clock. What happens once, such as
  compiling, does not count; moving images to the device does.

A fill without any error has no finite PSNR: `PSNR_CAP` stands for all above it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inpaintax import baselines, metrics
from inpaintax.data import batches, sources

# In dB. One grey level in one of a million values is 108 dB.
PSNR_CAP = 100.0

PROTOCOL = (
  'Inside the hole, on the composite, on [0, 1] pixels rounded to 8 bit.'
)

_GREY = np.uint8(127)

# In the order of tables.
_FIGURES = (
  'missing_pixels',
  'l1_percent',
  'l2_percent',
  'psnr_db',
  'ssim',
  'gradient',
  'original_gradient',
)
_RESAMPLES = 2000
_INTERVAL = (2.5, 97.5)


class Method(NamedTuple):
  """One way to fill holes.

  Attributes:
    name: in the table.
    fill: takes images, uint8 `[B, S, S, 3]`, and masks, bool `[B, S, S]`, True
      = missing; returns uint8 images of the same shape.
    compiled: whether it is compiled at the first call for each batch size.
  """

  name: str
  fill: Callable[[np.ndarray, np.ndarray], np.ndarray]
  compiled: bool


class Evaluation(NamedTuple):
  """What was measured.

  Attributes:
    names: of the N images.
    rows: plain JSON, one for each method, in their order; see this module.
    per_image: for each method's name, for each figure's, float64 `[N]`.
    pictures: the first images, (name, uint8 `[K, S, S, 3]`): `original`,
      `masked`, and what each method gave.
  """

  names: list[str]
  rows: list[dict[str, Any]]
  per_image: dict[str, dict[str, np.ndarray]]
  pictures: list[tuple[str, np.ndarray]]


def baseline(name: str) -> Method:
  """One of the classical methods.

  Args:
    name: of `baselines.BASELINES`.

  Returns:
    It, as a method.
  """
  one = baselines.BASELINES[name]

  def fill(images: np.ndarray, missing: np.ndarray) -> np.ndarray:
    return np.stack([one(*pair) for pair in zip(images, missing, strict=True)])

  return Method(name, fill, False)


def evaluate(
  methods: Sequence[Method],
  source: sources.Source,
  draw_masks: Callable[[jax.Array, tuple[int, int]], jax.Array],
  *,
  size: int,
  seed: int,
  batch_size: int = 64,
  limit: int | None = None,
  pictures: int = 8,
) -> Evaluation:
  """Measures methods on the images of a source, their centres cropped.

  Image n has the same hole whatever the batch size, the limit and the methods.

  Args:
    methods: of different names.
    source: the photographs.
    draw_masks: `(keys, size) -> float32 [B, H, W, 1]`, 1 = missing, as the
      makers of `corruptions.masks`.
    size: side that images are resized and cropped to, pixels, at least 11.
    seed: of masks and intervals.
    batch_size: images in memory at a time.
    limit: measure only the first so many images; None: all.
    pictures: keep the first so many images to look at.

  Returns:
    The figures.

  Raises:
    InputError: an image cannot be decoded, or a method cannot fill such holes.
  """
  tables: dict[str, list[dict[str, np.ndarray]]] = {m.name: [] for m in methods}
  seconds = dict.fromkeys(tables, 0.0)
  shown: dict[str, list[np.ndarray]] = {
    name: [] for name in ('original', 'masked', *tables)
  }
  names: list[str] = []
  ready: set[tuple[str, int]] = set()
  masks_of = _mask_maker(draw_masks, size, seed, batch_size)
  count = min(len(source), limit or len(source))
  stream = batches.eval_batches(source, batch_size=batch_size, size=size)
  for images, found in stream:
    images = images[: count - len(names)]
    missing = masks_of(len(names), len(images))
    observed = np.where(missing[..., None], _GREY, images)
    few = slice(0, max(0, pictures - len(names)))
    shown['original'].append(images[few])
    shown['masked'].append(observed[few])
    for method in methods:
      # Every library does something the first time; one image will do, if it
      # is not compiled for the batch's size.
      first = len(images) if method.compiled else 1
      if (method.name, first) not in ready:
        method.fill(observed[:first], missing[:first])
        ready.add((method.name, first))
      start = time.perf_counter()
      filled = method.fill(observed, missing)
      seconds[method.name] += time.perf_counter() - start
      filled = np.where(missing[..., None], filled, images)
      tables[method.name].append(figures(filled, images, missing, batch_size))
      shown[method.name].append(filled[few])
    names += found[: len(images)]
    if len(names) == count:
      break
  per_image = {
    name: {key: np.concatenate([t[key] for t in parts]) for key in parts[0]}
    for name, parts in tables.items()
  }
  rows = [
    row(name, found, seconds[name] / count, seed)
    for name, found in per_image.items()
  ]
  looks = [(name, np.concatenate(parts)) for name, parts in shown.items()]
  return Evaluation(names, rows, per_image, looks)


def bootstrap_interval(values: np.ndarray, *, seed: int) -> tuple[float, float]:
  """A 95 % interval of a mean, by drawing the values again with replacement.

  Args:
    values: float `[N]`, N >= 1.
    seed: of the 2,000 draws. Equal for two methods, both are measured on the
      same draws of images.

  Returns:
    The 2.5th and 97.5th percentile of the draws' means.

  Source: Efron 1979, "Bootstrap methods: another look at the jackknife".
  """
  generator = np.random.default_rng(seed)
  means = [
    values[generator.integers(len(values), size=len(values))].mean()
    for _ in range(_RESAMPLES)
  ]
  low, high = np.percentile(means, _INTERVAL)
  return float(low), float(high)


def _mask_maker(
  draw_masks: Callable[[jax.Array, tuple[int, int]], jax.Array],
  size: int,
  seed: int,
  batch_size: int,
) -> Callable[[int, int], np.ndarray]:
  """`(first image, images) -> bool [images, size, size]`, compiled once."""

  @jax.jit
  def draw(start: jax.Array) -> jax.Array:
    numbers = start + jnp.arange(batch_size)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
      jax.random.key(seed), numbers
    )
    return draw_masks(keys, (size, size))[..., 0] > 0

  # A copy: scikit-image takes no read-only arrays.
  return lambda start, count: np.array(draw(jnp.int32(start)))[:count]


def figures(
  filled: np.ndarray, target: np.ndarray, missing: np.ndarray, batch_size: int
) -> dict[str, np.ndarray]:
  """The figures of each image of a batch, compiled for `batch_size`.

  Args:
    filled: `[B, H, W, C]`, uint8 or float, on the scale of 0..255.
    target: the true images; same shape and type.
    missing: bool `[B, H, W]`: the pixels that count.
    batch_size: at least B.

  Returns:
    float64 `[B]` by name.
  """
  count = len(filled)
  spread = np.minimum(np.arange(batch_size), count - 1)
  found = jax.device_get(
    _measure(filled[spread], target[spread], missing[spread])
  )
  found = {key: np.float64(found[key][:count]) for key in _FIGURES}
  found['psnr_db'] = np.minimum(found['psnr_db'], PSNR_CAP)
  return found


@jax.jit
def _measure(
  filled: jax.Array, target: jax.Array, missing: jax.Array
) -> dict[str, jax.Array]:
  prediction, target = filled / jnp.float32(255), target / jnp.float32(255)
  mask = missing[..., None].astype(jnp.float32)
  # As one batch, so that equal images get equal sums to the last bit.
  gradients = metrics.gradient_magnitude(
    jnp.concatenate([prediction, target]), jnp.concatenate([mask, mask])
  )
  ours, truth = jnp.split(gradients, 2)
  return {
    'missing_pixels': mask.sum((1, 2, 3)),
    'l1_percent': metrics.mean_l1(prediction, target, mask),
    'l2_percent': metrics.mean_l2(prediction, target, mask),
    'psnr_db': metrics.psnr(prediction, target, mask),
    'ssim': metrics.ssim(prediction, target, mask),
    'gradient': ours,
    'original_gradient': truth,
  }


def row(
  name: str, figures: dict[str, np.ndarray], seconds: float, seed: int
) -> dict[str, Any]:
  """A method's row.

  Args:
    name: of the method.
    figures: those of each image.
    seconds: per image.
    seed: of the intervals.

  Returns:
    Plain JSON, see this module.
  """
  mean = {key: float(values.mean()) for key, values in figures.items()}
  l2 = mean['l2_percent']
  of_mean = -10 * np.log10(l2 / 100) if l2 else PSNR_CAP
  ours, truth = mean['gradient'], mean['original_gradient']
  # Flat originals have no sharpness to compare with, unless the fill is flat.
  sharpness = ours / truth if truth else (None if ours else 1.0)
  return {
    'method': name,
    'l1_percent': mean['l1_percent'],
    'l2_percent': l2,
    'psnr_db': mean['psnr_db'],
    'psnr_db_ci95': list(bootstrap_interval(figures['psnr_db'], seed=seed)),
    'psnr_of_mean_db': float(min(of_mean, PSNR_CAP)),
    'ssim': mean['ssim'],
    'sharpness': sharpness,
    'seconds_per_image': seconds,
  }
