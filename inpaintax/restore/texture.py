"""Texture for what a model has filled, carried over from known patches.

A network's fill is right on the whole and blurred in detail. Here its detail is
replaced by that of the known patches that are most like it, laid over each
other like a quilt; what is coarser than that stays the model's. Large holes get
their detail scale by scale. On the host.
"""

from collections.abc import Callable

import cv2
import numpy as np
from scipy import ndimage

from inpaintax.restore import pyramid, quilting

# What is finer than this is detail: standard deviation of a Gaussian, pixels.
# Patches are compared without it, since the model's fill has none.
_BLUR = 1.8
# Weight of how rough a patch is, beside its colours.
_ROUGH = 3.0
# How many of the nearest patches may be taken.
_CHOICE = 32
# How many patches, evenly spread, each piece is looked for among: fewer where
# there are many pieces, so that no more pairs are compared.
_FEWEST, _MOST, _PAIRS = 1 << 11, 1 << 14, 1 << 27
# Scales are halved until no missing pixel is further from a known one, pixels.
_DEPTH = 16
# How much of its surroundings a hole is compared with: as much as itself is
# wide, within these bounds, pixels.
_AROUND = (64, 256)
# Numbers in memory at a time.
_BLOCK = 1 << 24

Describe = Callable[[np.ndarray], np.ndarray]


def refine(
  image: np.ndarray,
  filled: np.ndarray,
  mask: np.ndarray,
  *,
  patch: int = 7,
  share: float = 1.0,
  describe: Describe | None = None,
) -> np.ndarray:
  """Gives what fills a hole the texture of the most similar known patches.

  Departs from the source, which moves pixels until the features that a network
  trained elsewhere sees are near those of known patches. Here patches of pixels
  are compared, or of those and of what `describe` says of them; also by how
  rough they are, which what surrounds the hole says of its inside. Otherwise
  the flattest patches would be nearest to a blurred fill.

  Args:
    image: uint8 `[H, W, 3]`; what lies under the mask has no influence.
    filled: a model's fill, uint8 `[H, W, 3]`; what lies outside the mask has no
      influence.
    mask: bool `[H, W]`, True = missing.
    patch: side of the patches that are compared, pixels, odd.
    share: of the texture, in (0, 1]; the rest is the fill's. Sharpness grows
      with it, the squared error with its square.
    describe: from float32 `[h, w, 3]` in [0, 1] to float32 `[h, w, F]`:
      features to be compared beside the colours, on a like scale. None: colours
      alone.

  Returns:
    uint8 `[H, W, 3]`, a new array, equal to `image` outside the mask; without a
    patch (of at least 9x9) that is wholly known, `filled` inside.

  Raises:
    ValueError: a shape, type or number differs from the above; what `describe`
      gives too.

  Source: Yang et al. 2017, arXiv:1611.09969, sec. 3.2; the quilt is that of
  Efros and Freeman 2001, "Image quilting for texture synthesis and transfer".
  """
  image, filled, mask = (np.asarray(x) for x in (image, filled, mask))
  _check(image, filled, mask, share)
  if patch < 3 or patch % 2 == 0:
    raise ValueError(f'patch must be odd and at least 3, got {patch}.')
  whole = np.where(mask[..., None], filled, image).astype(np.float32) / 255
  estimate = None
  for start, missing in reversed(pyramid.scales(whole, mask, limit=_DEPTH)):
    if estimate is not None:
      start = pyramid.finer(estimate, start, missing)
    known = _wholly_known(missing, max(patch, 2 * quilting.REACH + 1))
    if known.any():
      estimate = _with_texture(start, missing, known, patch, describe)
  # A patch that is known at one scale is known at all finer ones.
  if estimate is None:
    return np.where(mask[..., None], filled, image)
  estimate = whole + share * (estimate - whole)
  found = np.round(255 * np.clip(estimate, 0, 1)).astype(np.uint8)
  return np.where(mask[..., None], found, image)


def refine_holes(
  image: np.ndarray,
  filled: np.ndarray,
  mask: np.ndarray,
  wanted: np.ndarray,
  *,
  share: float = 1.0,
  describe: Describe | None = None,
) -> np.ndarray:
  """Gives holes texture, each from what lies around it.

  Args:
    image: uint8 `[H, W, 3]`; what lies under the mask has no influence.
    filled: a model's fill, uint8 `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.
    wanted: bool `[H, W]`: the missing pixels of the holes to do it to, whole
      holes; the others stay as they are in `filled`.
    share: as in `refine`.
    describe: as in `refine`.

  Returns:
    uint8 `[H, W, 3]`, a new array.

  Raises:
    ValueError: a shape, type or number differs from the above.
  """
  image, filled, mask = (np.asarray(x) for x in (image, filled, mask))
  wanted = np.asarray(wanted)
  _check(image, filled, mask, share)
  if wanted.dtype != bool or wanted.shape != mask.shape:
    raise ValueError(
      f'wanted must be bool {mask.shape}, got {wanted.dtype} {wanted.shape}.'
    )
  out = filled.copy()
  labels, _ = ndimage.label(mask & wanted, np.ones((3, 3)))
  for number, box in enumerate(ndimage.find_objects(labels), 1):
    margin = [np.clip(part.stop - part.start, *_AROUND) for part in box]
    at = tuple(
      slice(max(0, part.start - more), part.stop + more)
      for part, more in zip(box, margin, strict=True)
    )
    own = labels[at] == number
    found = refine(
      image[at], filled[at], mask[at], share=share, describe=describe
    )
    out[at] = np.where(own[..., None], found, out[at])
  return out


def _with_texture(
  start: np.ndarray,
  missing: np.ndarray,
  known: np.ndarray,
  patch: int,
  describe: Describe | None,
) -> np.ndarray:
  """The coarse part of an image with detail of its known patches."""
  smooth = cv2.GaussianBlur(start, (0, 0), _BLUR)
  seen = smooth
  if describe is not None:
    said = np.asarray(describe(smooth))
    if said.shape[:-1] != missing.shape or not np.isfinite(said).all():
      raise ValueError(
        f'describe must give finite {missing.shape} and features, got'
        f' {said.shape}, {np.isfinite(said).mean():.0%} of it finite.'
      )
    seen = np.concatenate([seen, said], axis=-1)
  pieces = quilting.pieces(missing)
  candidates = np.argwhere(known)
  most = max(_FEWEST, min(_MOST, _PAIRS // max(1, len(pieces))))
  candidates = candidates[:: -(-len(candidates) // most)]
  detail = start - smooth
  rough = _roughness(detail, known, patch)
  quilt = quilting.Quilt(detail, missing, known)
  places = _chosen(quilt, seen, rough, pieces, candidates, patch)
  laid = quilting.mixed(detail, pieces, places)
  return np.where(missing[..., None], smooth + laid, start)


def _wholly_known(missing: np.ndarray, patch: int) -> np.ndarray:
  """bool `[h, w]`: centres of patches inside the image with nothing missing."""
  kernel = np.ones((patch, patch), np.uint8)
  # Beyond the border nothing is known.
  edge = patch // 2
  framed = np.pad(missing.astype(np.uint8), edge, constant_values=1)
  return cv2.dilate(framed, kernel)[edge:-edge, edge:-edge] == 0


def _roughness(detail: np.ndarray, known: np.ndarray, patch: int) -> np.ndarray:
  """Standard deviation of the detail around each pixel, float32 `[h, w]`.

  Where it is not known it is the mean of what is, mostly of the nearest.
  """
  power = cv2.blur(np.square(detail).mean(-1), (patch, patch))
  return np.sqrt(np.maximum(_spread(power, known.astype(np.float32)), 0))


def _spread(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
  """Values where their weight is 1; where it is less, more of those around.

  Push and pull: the mean at half the size, which has gone through the same, and
  so on until all has weight.
  """
  height, width = values.shape
  if weight.min() >= 1 or max(height, width) == 1:
    return values
  size = (-(-width // 2), -(-height // 2))
  shrink = lambda x: cv2.resize(x, size, interpolation=cv2.INTER_AREA)
  less = shrink(weight)
  coarse = shrink(values * weight) / np.maximum(less, 1e-12)
  # A quarter of a cell is enough to know it.
  coarse = _spread(coarse, np.minimum(4 * less, 1))
  large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
  return weight * values + (1 - weight) * large


def _chosen(
  quilt: quilting.Quilt,
  seen: np.ndarray,
  rough: np.ndarray,
  pieces: np.ndarray,
  candidates: np.ndarray,
  patch: int,
) -> np.ndarray:
  """For each piece a place whose patch is like its own, and fits beside it.

  Of the nearest few, or what goes on where its neighbours came from; and not
  one part of the image again and again if another is almost as near: the eye
  sees repetition at once.
  """
  edge = patch // 2
  framed = np.pad(seen, [(edge, edge), (edge, edge), (0, 0)], 'symmetric')
  views = np.lib.stride_tricks.sliding_window_view(
    framed, (patch, patch), (0, 1)
  )
  # As one more number of each patch, for a pixel's share of all.
  numbers = patch**2 * seen.shape[-1]
  last = _ROUGH * np.sqrt(numbers) * rough

  def vectors(at: np.ndarray) -> np.ndarray:
    rows, columns = at.T
    flat = views[rows, columns].reshape(len(at), numbers)
    return np.c_[flat, last[rows, columns]]

  keys = vectors(candidates)
  lengths = np.square(keys).sum(1)
  places = np.empty((len(pieces), 2), np.int64)
  few = min(_CHOICE, len(keys))
  # Neighbours are the same patch to the eye.
  cell = 2 * quilting.REACH + 1
  uses = np.zeros([n // cell + 1 for n in rough.shape], np.float32)
  step = max(1, _BLOCK // len(keys))
  for first in range(0, len(pieces), step):
    asked = vectors(pieces[first : first + step])
    distances = lengths - 2 * (asked @ keys.T)
    near = np.argpartition(distances, few - 1)[:, :few]
    for number, (vector, one) in enumerate(
      zip(asked, near, strict=True), first
    ):
      piece = pieces[number]
      near_by, beside = candidates[one], quilt.beside(piece)
      at = np.concatenate([near_by, beside])
      there = np.concatenate([keys[one], vectors(beside)])
      costs = np.square(there - vector).sum(1) / numbers
      # What has been taken before must be so much nearer.
      costs[:few] *= 1 + uses[tuple(near_by.T // cell)]
      places[number] = at[(costs + quilt.misfit(piece, at)).argmin()]
      uses[tuple(places[number] // cell)] += 1
      quilt.lay(piece, places[number])
  return places


def _check(
  image: np.ndarray,
  filled: np.ndarray,
  mask: np.ndarray,
  share: float,
) -> None:
  if mask.dtype != bool or mask.ndim != 2:
    raise ValueError(
      f'mask must be bool [H, W], got {mask.dtype} {mask.shape}.'
    )
  for name, x in (('image', image), ('filled', filled)):
    if x.dtype != np.uint8 or x.shape != (*mask.shape, 3):
      raise ValueError(
        f'{name} must be uint8 {(*mask.shape, 3)}, got {x.dtype} {x.shape}.'
      )
  if not 0 < share <= 1:
    raise ValueError(f'share must be above 0 and at most 1, got {share}.')
