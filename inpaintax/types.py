"""The words that all rooms share. No logic here."""

from typing import NamedTuple

import jax

Metrics = dict[str, jax.Array]


class Sample(NamedTuple):
  """One batch as a step sees it.

  Attributes:
    observed: what the network sees, float32 `[B, H, W, C]` in [-1, 1] (noisy
      images may leave that range).
    target: the clean image; same shape, in [-1, 1].
    mask: float32 `[B, H, W, 1]`, 1 where the two may differ (missing pixels).
  """

  observed: jax.Array
  target: jax.Array
  mask: jax.Array
