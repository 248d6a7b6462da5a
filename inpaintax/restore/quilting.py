"""Detail from many places, laid so that it goes on. On the host."""

import cv2
import numpy as np

# Distance of the pieces of a quilt, pixels, and how far each reaches.
STRIDE = 5
REACH = 4
# Weight of how badly a piece fits what lies beside it, to how unlike the two
# patches are.
_FIT = 4.0


def pieces(missing: np.ndarray) -> np.ndarray:
  """Centres of the pieces that cover a hole.

  Args:
    missing: bool `[H, W]`.

  Returns:
    int `[N, 2]`: rows and columns, from the edge of the hole inwards.
  """
  near = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
  touched = cv2.dilate(missing.astype(np.uint8), near) > 0
  rows, columns = (np.arange(n) % STRIDE == STRIDE // 2 for n in missing.shape)
  found = np.argwhere(touched & rows[:, None] & columns[None])
  framed = np.pad(missing.astype(np.uint8), 1, mode='edge')
  depth = cv2.distanceTransform(framed, cv2.DIST_C, 3)[1:-1, 1:-1]
  # Stable: along the edge one after the other, each beside the last.
  return found[np.argsort(depth[tuple(found.T)], kind='stable')]


class Quilt:
  """Chooses a place for each piece, one after the other.

  A piece should fit what lies beside it already: known pixels, and pieces
  before it. Best is often what lies beside its neighbour's place: so that is a
  choice too, and whole stretches of the image come over in one.

  Source: Efros and Freeman 2001, "Image quilting for texture synthesis and
  transfer"; the second choice is that of Ashikhmin 2001, "Synthesizing natural
  textures".
  """

  def __init__(
    self, detail: np.ndarray, missing: np.ndarray, known: np.ndarray
  ):
    """Nothing is laid yet.

    Args:
      detail: float32 `[H, W, 3]`.
      missing: bool `[H, W]`.
      known: bool `[H, W]`: centres of patches that may be taken, with nothing
        missing as far as a piece reaches.
    """
    frame = [(REACH, REACH), (REACH, REACH)]
    self._known = known
    self._laid = np.pad(detail, [*frame, (0, 0)])
    # Patches that may be taken are wholly known: nothing is laid over them.
    self._patches = np.lib.stride_tricks.sliding_window_view(
      self._laid, (2 * REACH + 1, 2 * REACH + 1), (0, 1)
    )
    self._done = np.pad((~missing).astype(np.float32), frame)
    self._places: dict[tuple[int, int], np.ndarray] = {}

  def beside(self, piece: np.ndarray) -> np.ndarray:
    """Places that go on where pieces around this one were taken from.

    Args:
      piece: int `[2]`.

    Returns:
      int `[K, 2]`, K from 0 to 8.
    """
    found = []
    height, width = self._known.shape
    for step in _AROUND:
      other = piece + step
      place = self._places.get((other[0], other[1]))
      if place is not None:
        row, column = place - step
        if (
          0 <= row < height and 0 <= column < width and self._known[row, column]
        ):
          found.append((row, column))
    return np.array(found, np.int64).reshape(-1, 2)

  def misfit(self, piece: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How badly each place would fit around a piece.

    Args:
      piece: int `[2]`.
      places: int `[K, 2]`.

    Returns:
      float32 `[K]`: the mean squared difference for each number, weighted.
    """
    window = self._window(piece)
    done = self._done[window]
    patches = self._patches[places[:, 0], places[:, 1]]
    apart = np.square(patches - self._laid[window].transpose(2, 0, 1)).sum(1)
    total = (apart * done).sum((1, 2))
    return _FIT * total / (3 * max(float(done.sum()), 1.0))

  def lay(self, piece: np.ndarray, place: np.ndarray) -> None:
    """Lays a piece.

    Args:
      piece: int `[2]`.
      place: int `[2]`: where its detail comes from.
    """
    window = self._window(piece)
    new = self._done[window] == 0
    patch = self._patches[place[0], place[1]].transpose(1, 2, 0)
    self._laid[window][new] = patch[new]
    self._done[window] = 1
    self._places[(piece[0], piece[1])] = place

  def _window(self, piece: np.ndarray) -> tuple[slice, slice]:
    row, column = piece
    return np.s_[row : row + 2 * REACH + 1, column : column + 2 * REACH + 1]


_AROUND = [
  np.array([STRIDE * row, STRIDE * column])
  for row in (-1, 0, 1)
  for column in (-1, 0, 1)
  if row or column
]


def mixed(
  detail: np.ndarray, pieces: np.ndarray, places: np.ndarray
) -> np.ndarray:
  """The detail at `places`, laid around `pieces`; where two meet, mixed.

  Args:
    detail: float32 `[H, W, 3]`.
    pieces: int `[N, 2]`.
    places: int `[N, 2]`.

  Returns:
    float32 `[H, W, 3]`; 0 where no piece reaches.
  """
  height, width = detail.shape[:2]
  side = np.arange(-REACH, REACH + 1)
  steps = np.stack(np.meshgrid(side, side, indexing='ij'), -1).reshape(-1, 2)
  # Flat in the middle, and falling where the next piece begins.
  shares = np.exp(-((np.abs(steps).max(1) / (STRIDE / 2)) ** 6))
  total = np.zeros((height + 2 * REACH, width + 2 * REACH, 3), np.float32)
  power = np.zeros((*total.shape[:2], 1), np.float32)
  for step, share in zip(steps, shares.astype(np.float32), strict=True):
    # Each piece has another target: nothing is added twice in one assignment.
    to = tuple((pieces + step + REACH).T)
    total[to] += share * detail[tuple((places + step).T)]
    power[to] += share**2
  inside = np.s_[REACH : REACH + height, REACH : REACH + width]
  # Details that differ would weaken each other if their shares summed to one.
  return (total / np.sqrt(np.maximum(power, 1e-30)))[inside]
