"""What all comparisons share: the figures, and how they become a table.

A row's figures are means of the images' own figures, each image counting alike
however large its hole; but for

- `psnr_of_mean_db`: the PSNR that belongs to the mean L2. The mean of PSNRs,
  which papers give, is 1.2 to 1.5 dB higher: `psnr_db`;
- `psnr_db_ci95`: where the mean of other images of the kind would lie, 19 times
  in 20: percentiles of the bootstrap over images;
- `sharpness`: the sum of the images' mean gradient magnitudes, divided by the
  sum of the originals'. Below 1 is blurred, above 1 too rough;
- `seam`, of holes alone: likewise of the differences across the hole's edge.
  Above 1 the edge shows;
- `seconds_per_image`: by the clock.

A fill without any error has no finite PSNR: `PSNR_CAP` stands for all above it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inpaintax import metrics
from inpaintax.errors import InputError
from inpaintax.evaluate.worst import Worst

# In dB. One grey level in one of a million values is 108 dB.
PSNR_CAP = 100.0

# In the order of tables.
_FIGURES = (
  'missing_pixels',
  'l1_percent',
  'l2_percent',
  'psnr_db',
  'ssim',
  'gradient',
  'original_gradient',
  'edge',
  'original_edge',
)
_RESAMPLES = 2000
_INTERVAL = (2.5, 97.5)
# What other rows and pictures are called: no method may be.
TAKEN = ('input', 'masked', 'original')


class Evaluation(NamedTuple):
  """What was measured.

  Attributes:
    names: of the N images.
    rows: plain JSON, one for each method, in their order; see this module.
    per_image: for each method's name, for each figure's, float64 `[N]`.
    pictures: the first images, (name, uint8 `[K, S, S, 3]`): `original`,
      `masked`, and what each method gave.
    masks: SHA-256 of the holes, if there were any: equal for two evaluations
      on the same ones.
    worst: the images that the first method is worst on, or None.
  """

  names: list[str]
  rows: list[dict[str, Any]]
  per_image: dict[str, dict[str, np.ndarray]]
  pictures: list[tuple[str, np.ndarray]]
  masks: str | None = None
  worst: Worst | None = None


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


def check_names(names: Sequence[str]) -> None:
  """Refuses rows that would be taken for one another.

  Args:
    names: of the methods.

  Raises:
    InputError: a name is given twice, or one of `TAKEN`.
  """
  twice = sorted({name for name in names if [*names, *TAKEN].count(name) > 1})
  if twice:
    raise InputError(
      f'each row needs a name of its own, other than {", ".join(TAKEN)}: rename'
      f' what is called {", ".join(twice)}.'
    )


def figures(
  filled: np.ndarray,
  target: np.ndarray,
  missing: np.ndarray,
  batch_size: int,
  *,
  holes: bool = False,
) -> dict[str, np.ndarray]:
  """The figures of each image of a batch, compiled for `batch_size`.

  Args:
    filled: `[B, H, W, C]`, uint8 or float, on the scale of 0..255.
    target: the true images; same shape and type.
    missing: bool `[B, H, W]`: the pixels that count.
    batch_size: at least B.
    holes: whether `missing` has edges that may show, and figures of them.

  Returns:
    float64 `[B]` by name.
  """
  count = len(filled)
  wanted = _FIGURES if holes else _FIGURES[:-2]
  spread = np.minimum(np.arange(batch_size), count - 1)
  found = jax.device_get(
    _measure(filled[spread], target[spread], missing[spread])
  )
  found = {key: np.float64(found[key][:count]) for key in wanted}
  found['psnr_db'] = np.minimum(found['psnr_db'], PSNR_CAP)
  return found


@jax.jit
def _measure(
  filled: jax.Array, target: jax.Array, missing: jax.Array
) -> dict[str, jax.Array]:
  prediction, target = filled / jnp.float32(255), target / jnp.float32(255)
  mask = missing[..., None].astype(jnp.float32)
  both = (prediction, target, mask)
  gradients = metrics.of_both(metrics.gradient_magnitude, *both)
  edges = metrics.of_both(metrics.edge_difference, *both)
  return {
    'missing_pixels': mask.sum((1, 2, 3)),
    'l1_percent': metrics.mean_l1(prediction, target, mask),
    'l2_percent': metrics.mean_l2(prediction, target, mask),
    'psnr_db': metrics.psnr(prediction, target, mask),
    'ssim': metrics.ssim(prediction, target, mask),
    'gradient': gradients[0],
    'original_gradient': gradients[1],
    'edge': edges[0],
    'original_edge': edges[1],
  }


def tabulate(
  names: list[str],
  tables: dict[str, list[dict[str, np.ndarray]]],
  seconds: dict[str, float],
  pictures: list[tuple[str, np.ndarray]],
  *,
  seed: int,
) -> Evaluation:
  """Puts what was measured together.

  Args:
    names: of the N images.
    tables: for each method, the figures of its batches: float64 `[B]` by name.
    seconds: for each method, over all images.
    pictures: see `Evaluation`.
    seed: of the intervals.

  Returns:
    The evaluation.
  """
  per_image = {
    name: {key: np.concatenate([t[key] for t in parts]) for key in parts[0]}
    for name, parts in tables.items()
  }
  rows = [
    _row(name, figures, seconds[name] / len(names), seed)
    for name, figures in per_image.items()
  ]
  return Evaluation(names, rows, per_image, pictures)


def _row(
  name: str, figures: dict[str, np.ndarray], seconds: float, seed: int
) -> dict[str, Any]:
  """A method's row: plain JSON, see this module."""
  mean = {key: float(values.mean()) for key, values in figures.items()}
  l2 = mean['l2_percent']
  of_mean = -10 * np.log10(l2 / 100) if l2 else PSNR_CAP
  ratio = lambda name: _ratio(mean[name], mean[f'original_{name}'])
  row = {
    'method': name,
    'l1_percent': mean['l1_percent'],
    'l2_percent': l2,
    'psnr_db': mean['psnr_db'],
    'psnr_db_ci95': list(bootstrap_interval(figures['psnr_db'], seed=seed)),
    'psnr_of_mean_db': float(min(of_mean, PSNR_CAP)),
    'ssim': mean['ssim'],
    'sharpness': ratio('gradient'),
    'seconds_per_image': seconds,
  }
  if 'edge' in mean:
    row['seam'] = ratio('edge')
  if 'marked_psnr_db' in mean:
    row['marked_psnr_db'] = mean['marked_psnr_db']
  return row


def _ratio(ours: float, truth: float) -> float | None:
  """None where a flat truth has nothing to compare with, unless ours is too."""
  return ours / truth if truth else (None if ours else 1.0)
