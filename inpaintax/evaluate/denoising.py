"""Denoisers on the same noisy images: a table, and pictures.

The published protocol: grey images; additive Gaussian noise on the scale of
0..255, not clipped, drawn from the same seed for each image; figures over the
whole image, of the output clipped to [0, 255] but not rounded. They mean what
those of `inpaintax.evaluate` do, with every pixel as the hole.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from inpaintax import evaluate, images
from inpaintax.data import sources
from inpaintax.errors import InputError

PROTOCOL = (
  'Whole grey images with Gaussian noise that is not clipped; outputs clipped'
  ' to [0, 255], not rounded.'
)

_SHOWN = 256  # Side of the part that pictures show, at most.


class Denoiser(NamedTuple):
  """One way to take noise off.

  Attributes:
    name: in the table.
    denoise: takes and gives float32 `[H, W]` on the scale of 0..255.
  """

  name: str
  denoise: Callable[[np.ndarray], np.ndarray]


def compare(
  denoisers: Sequence[Denoiser],
  source: sources.Source,
  *,
  sigma: float,
  seed: int = 0,
  limit: int | None = None,
  pictures: int = 4,
) -> evaluate.Evaluation:
  """Measures denoisers on all images of a source.

  Image n has the same noise whatever the limit and the denoisers.

  Args:
    denoisers: of different names.
    source: the clean images; coloured ones are made grey.
    sigma: standard deviation of the noise, in grey levels of 0..255.
    seed: of the noise and the intervals.
    limit: measure only the first so many images; None: all.
    pictures: keep the centres of the first so many images to look at.

  Returns:
    The figures; the first row, `noisy`, is what the others were given.

  Raises:
    InputError: the source is empty, an image cannot be decoded, or is too small
      for a denoiser.
  """
  count = min(len(source), limit or len(source))
  if not count:
    raise InputError('the data source is empty')
  methods = [Denoiser('noisy', lambda noisy: noisy), *denoisers]
  tables: dict[str, list[dict[str, np.ndarray]]] = {m.name: [] for m in methods}
  seconds = dict.fromkeys(tables, 0.0)
  shown: dict[str, list[np.ndarray]] = {
    name: [] for name in ('original', *tables)
  }
  ready: set[tuple[str, tuple[int, ...]]] = set()
  for number in range(count):
    clean = images.to_grey(source[number])
    noise = np.random.default_rng(seed).standard_normal(clean.shape)
    noisy = (clean + sigma * noise).astype(np.float32)
    found = {'original': clean.astype(np.float32)}
    for method in methods:
      if (method.name, clean.shape) not in ready:  # What happens once.
        method.denoise(noisy)
        ready.add((method.name, clean.shape))
      start = time.perf_counter()
      given = method.denoise(noisy)
      seconds[method.name] += time.perf_counter() - start
      found[method.name] = np.clip(given, 0, 255)
      tables[method.name].append(_figures(found[method.name], clean))
    if number < pictures:
      for name, image in found.items():
        shown[name].append(image)
  names = [source.name(number) for number in range(count)]
  return evaluate.tabulate(names, tables, seconds, _looks(shown), seed=seed)


def _figures(given: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
  stack = lambda image: image[None, ..., None].astype(np.float32)
  everywhere = np.ones((1, *clean.shape), bool)
  return evaluate.figures(stack(given), stack(clean), everywhere, 1)


def _looks(
  shown: dict[str, list[np.ndarray]],
) -> list[tuple[str, np.ndarray]]:
  """Central squares of one size, as 8-bit colour."""
  sides = [min(image.shape) for image in shown['original']]
  side = min([_SHOWN, *sides])

  def square(image: np.ndarray) -> np.ndarray:
    top, left = ((n - side) // 2 for n in image.shape)
    part = np.rint(image[top : top + side, left : left + side])
    return np.stack([part.astype(np.uint8)] * 3, axis=-1)

  return [
    (name, np.stack([square(image) for image in found]))
    for name, found in shown.items()
  ]
