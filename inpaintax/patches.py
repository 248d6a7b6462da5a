"""Images of any size through a model of patches: cut, restored, averaged.

Patches overlap; every pixel is the weighted mean of all patches that cover it.
Averaging is half of what a denoiser of patches is worth: 0.9 to 1.3 dB between
patches side by side and patches at every second pixel.
"""

from collections.abc import Callable, Iterable

import numpy as np

from inpaintax.errors import InputError


def starts(length: int, side: int, stride: int) -> np.ndarray:
  """Where patches begin along one axis: at every `stride`, and at the last.

  Args:
    length: of the axis, pixels.
    side: of the patches.
    stride: between two of them, at most `side`.

  Returns:
    int `[N]`, rising; together the patches cover the axis.

  Raises:
    InputError: the axis is shorter than a patch.
    ValueError: `stride` is not in 1..side.

  >>> starts(10, 4, 4).tolist()
  [0, 4, 6]
  """
  if not 1 <= stride <= side:
    raise ValueError(f'stride must be in 1..{side}, got {stride}.')
  if length < side:
    raise InputError(
      f'a side of {length} pixels is shorter than the patches of {side}.'
    )
  regular = np.arange(0, length - side + 1, stride)
  last = length - side
  return regular if regular[-1] == last else np.append(regular, last)


def gaussian_window(side: int, *, width: float = 0.25) -> np.ndarray:
  """Weights of a patch's pixels: its middle has seen more than its corners.

  Args:
    side: of the patch.
    width: standard deviation as a share of `side`.

  Returns:
    float32 `[side, side]`, 1 at most.

  Raises:
    ValueError: `width` is not above 0.

  Source: Burger, Schuler and Harmeling 2012, sec. 3, who weight overlapping
  patches with a Gaussian window.
  """
  if not width > 0:
    raise ValueError(f'width must be above 0, got {width}.')
  offsets = np.arange(side) - (side - 1) / 2
  line = np.exp(-0.5 * np.square(offsets / (width * side)))
  return np.outer(line, line).astype(np.float32)


def restore(
  image: np.ndarray,
  model: Callable[[np.ndarray], np.ndarray],
  *,
  side: int,
  stride: int = 1,
  window: np.ndarray | None = None,
  batch_size: int = 8192,
) -> np.ndarray:
  """Sends all patches of an image through a model and averages what it gives.

  The image is mirrored at its borders where the model predicts less than it
  sees, so that every pixel is predicted, and where it is smaller than what is
  predicted. At most about `batch_size` patches and a row of them are in memory
  at a time.

  Args:
    image: float32 `[H, W]`.
    model: takes patches, float32 `[B, side, side]`, of one size B or less;
      returns float32 `[B, out, out]`, the central part, out <= side.
    side: of the patches that the model sees.
    stride: between patches; at most the side of what it gives.
    window: weights float `[out, out]`, above 0; None: all alike.
    batch_size: patches for one call.

  Returns:
    float32 `[H, W]`.

  Raises:
    InputError: the image has no pixels.
    ValueError: an option is out of range.

  >>> image = np.arange(35.0, dtype=np.float32).reshape(5, 7)
  >>> bool(np.allclose(restore(image, lambda x: x, side=3, stride=2), image))
  True
  """
  if window is None:
    out = model(np.zeros((1, side, side), np.float32)).shape[-1]
    window = np.ones((out, out), np.float32)
  out = len(window)
  edge, odd = divmod(side - out, 2)
  if odd:
    raise ValueError(f'{out} pixels have no exact centre in {side}.')
  if not image.size:
    raise InputError('an image without pixels cannot be restored.')
  height, width = image.shape
  short = [(0, max(0, out - length)) for length in image.shape]
  image = np.pad(image, short, mode='symmetric')
  padded = np.pad(image, edge, mode='reflect') if edge else image
  rows = starts(image.shape[0], out, stride)
  columns = starts(image.shape[1], out, stride)
  total = np.zeros(image.shape, np.float32)
  views = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
  # Whole rows of patches, as many as fit in a batch.
  count = max(1, batch_size // len(columns))
  for first in range(0, len(rows), count):
    part = rows[first : first + count]
    found = views[np.ix_(part, columns)].reshape(-1, side, side)
    given = np.concatenate(
      [
        np.asarray(model(found[i : i + batch_size]))
        for i in range(0, len(found), batch_size)
      ]
    ).reshape(len(part), len(columns), out, out)
    _add(total, _strips(given * window, columns), part)
  alike = np.broadcast_to(window, (1, len(columns), out, out))
  weight = np.zeros(image.shape, np.float32)
  _add(weight, [_strips(alike, columns)[0]] * len(rows), rows)
  return (total / weight)[:height, :width]


def _strips(given: np.ndarray, columns: np.ndarray) -> np.ndarray:
  """Rows of patches `[R, N, out, out]`, added up to `[R, out, width]`."""
  out = given.shape[-1]
  strips = np.zeros((len(given), out, columns[-1] + out), np.float32)
  for right in range(out):
    # No two patches have the same place for the same column of theirs.
    strips[:, :, columns + right] += given[..., right].swapaxes(1, 2)
  return strips


def _add(
  image: np.ndarray, strips: Iterable[np.ndarray], rows: np.ndarray
) -> None:
  """Adds strips `[out, width]` to an image, each from its row on."""
  for row, strip in zip(rows, strips, strict=True):
    image[row : row + len(strip)] += strip
