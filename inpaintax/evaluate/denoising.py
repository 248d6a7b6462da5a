"""What restores whole grey images: a table of figures, and pictures.

Gaussian noise as in the literature: additive, on the scale of 0..255, not
clipped, drawn from the same seed for each image. Superimposed text: each image
has its own, and methods that are not blind are told where it is.

Figures are of the output clipped to [0, 255] but not rounded. They mean what
those of `inpaintax.evaluate` do, with every pixel as the hole;
`marked_psnr_db`, with text, is of the pixels under it.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from inpaintax import baselines, evaluate, images, metrics
from inpaintax.corruptions import text
from inpaintax.data import sources
from inpaintax.errors import InputError

_SHOWN = 256  # Side of the part that pictures show, at most.

Corrupt = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


class Corruption(NamedTuple):
  """What the images are measured with.

  Attributes:
    apply: `(clean uint8 [H, W], number of the image) -> (float32 [H, W] on the
      scale of 0..255, bool [H, W], True where pixels are marked)`.
    local: whether the marked pixels are a part of the image, to be measured
      apart as well.
    protocol: a sentence for reports.
  """

  apply: Corrupt
  local: bool
  protocol: str


class Denoiser(NamedTuple):
  """One way to restore an image.

  Attributes:
    name: in the table.
    denoise: takes float32 `[H, W]` on the scale of 0..255 and bool `[H, W]`,
      True where the corruption has marked pixels, which a blind method does not
      look at; gives float32 `[H, W]`.
  """

  name: str
  denoise: Callable[[np.ndarray, np.ndarray], np.ndarray]


def gaussian(sigma: float, *, seed: int = 0) -> Corruption:
  """White Gaussian noise, the same draw for images of one size.

  Args:
    sigma: standard deviation, in grey levels of 0..255.
    seed: of the noise.

  Returns:
    The corruption; it marks every pixel.
  """

  def apply(clean: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    del number
    noise = np.random.default_rng(seed).standard_normal(clean.shape)
    return (clean + sigma * noise).astype(np.float32), np.ones(
      clean.shape, bool
    )

  return Corruption(
    apply,
    False,
    'Whole grey images with Gaussian noise that is not clipped; outputs clipped'
    ' to [0, 255], not rounded.',
  )


def superimposed(
  font_sizes: tuple[int, int], *, seed: int = 0, quality: int | None = None
) -> Corruption:
  """Text over 15 % of each image, different from image to image.

  Args:
    font_sizes: the smallest and the largest, pixels.
    seed: of the text.
    quality: in 1..100, of the JPEG that the image with text was saved as; None:
      of none.

  Returns:
    The corruption; it marks the pixels under text.
  """

  def apply(clean: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng((seed, number))
    observed, marked = text.lay(
      text.draw(generator, clean.shape, font_sizes=font_sizes), clean
    )
    if quality is not None:
      levels = np.rint(observed).astype(np.uint8)
      how = [cv2.IMWRITE_JPEG_QUALITY, quality]
      data = cv2.imencode('.jpg', levels, how)[1].tobytes()
      grey = images.decode(data, name=f'image {number}')[..., 0]
      observed = grey.astype(np.float32)
    return observed, marked

  saved = '' if quality is None else f', saved as JPEGs of quality {quality}'
  return Corruption(
    apply,
    True,
    f'Whole grey images with text on 15 % of their pixels{saved}; outputs'
    ' clipped to [0, 255], not rounded. "PSNR marked" is of the pixels under'
    ' text alone.',
  )


def filler(name: str) -> Denoiser:
  """A classical method for holes, told where the text is.

  Args:
    name: of `baselines.BASELINES`.

  Returns:
    It, on grey images.
  """
  fill = baselines.BASELINES[name]

  def denoise(observed: np.ndarray, marked: np.ndarray) -> np.ndarray:
    grey = np.rint(np.clip(observed, 0, 255)).astype(np.uint8)
    filled = fill(np.stack([grey] * 3, axis=-1), marked)[..., 0]
    return np.where(marked, filled.astype(np.float32), observed)

  return Denoiser(name, denoise)


def compare(
  denoisers: Sequence[Denoiser],
  source: sources.Source,
  corruption: Corruption,
  *,
  seed: int = 0,
  limit: int | None = None,
  pictures: int = 4,
) -> evaluate.Evaluation:
  """Measures denoisers on all images of a source.

  Image n is corrupted alike whatever the limit and the denoisers.

  Args:
    denoisers: of different names.
    source: the clean images; coloured ones are made grey.
    corruption: what is done to them.
    seed: of the intervals.
    limit: measure only the first so many images; None: all.
    pictures: keep the centres of the first so many images to look at.

  Returns:
    The figures; the first row, `input`, is what the others were given.

  Raises:
    InputError: the source is empty, an image cannot be decoded, or is too small
      for SSIM, or two denoisers have the same name or one that is taken.
  """
  evaluate.check_names([one.name for one in denoisers])
  count = min(len(source), limit or len(source))
  if not count:
    raise InputError('the data source is empty')
  methods = [Denoiser('input', lambda observed, _: observed), *denoisers]
  tables: dict[str, list[dict[str, np.ndarray]]] = {m.name: [] for m in methods}
  seconds = dict.fromkeys(tables, 0.0)
  shown: dict[str, list[np.ndarray]] = {
    name: [] for name in ('original', *tables)
  }
  ready: set[tuple[str, tuple[int, ...]]] = set()
  for number in range(count):
    clean = images.to_grey(source[number])
    if min(clean.shape) < metrics.SSIM_WINDOW:
      raise InputError(
        f'{source.name(number)} has {clean.shape[1]}x{clean.shape[0]} pixels:'
        f' figures need at least {metrics.SSIM_WINDOW} a side.'
      )
    observed, marked = corruption.apply(clean, number)
    found = {'original': clean.astype(np.float32)}
    for method in methods:
      if (method.name, clean.shape) not in ready:  # What happens once.
        method.denoise(observed, marked)
        ready.add((method.name, clean.shape))
      start = time.perf_counter()
      given = method.denoise(observed, marked)
      seconds[method.name] += time.perf_counter() - start
      found[method.name] = np.clip(given, 0, 255)
      figures = _figures(found[method.name], clean)
      if corruption.local:
        under = _figures(found[method.name], clean, marked)
        figures['marked_psnr_db'] = under['psnr_db']
      tables[method.name].append(figures)
    if number < pictures:
      for name, image in found.items():
        shown[name].append(image)
  names = [source.name(number) for number in range(count)]
  return evaluate.tabulate(names, tables, seconds, _looks(shown), seed=seed)


def _figures(
  given: np.ndarray, clean: np.ndarray, where: np.ndarray | None = None
) -> dict[str, np.ndarray]:
  stack = lambda image: image[None, ..., None].astype(np.float32)
  if where is None:
    where = np.ones(clean.shape, bool)
  return evaluate.figures(stack(given), stack(clean), where[None], 1)


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
