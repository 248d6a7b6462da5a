"""JAX's random numbers, the same bits, sooner where few are drawn at a time.

On a CPU JAX makes the five rounds of Threefry a loop, which takes 80
microseconds to begin and end however few numbers it makes. In an update of some
milliseconds that draws keys, places and noise it is a tenth.
"""

import jax
import numpy as np
from jax.extend.random import threefry2x32_p
from jax.interpreters import mlir

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def unroll() -> None:
  """Has all that is compiled from now on draw without loops on a CPU."""
  mlir.register_lowering(
    threefry2x32_p,
    mlir.lower_fun(hashed, multiple_results=True),
    platform='cpu',
  )


def hashed(
  key1: jax.Array, key2: jax.Array, count1: jax.Array, count2: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Threefry-2x32 of 20 rounds.

  Args:
    key1: uint32, the key's first word.
    key2: its second.
    count1: uint32, first words of what is hashed.
    count2: their second ones; all four can be broadcast together.

  Returns:
    Two words of each, as `threefry2x32_p` gives them.

  Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
  """
  keys = (key1, key2, key1 ^ key2 ^ _PARITY)
  x, y = count1 + keys[0], count2 + keys[1]
  for part in range(5):
    for by in _ROTATIONS[part % 2]:
      x = x + y
      y = x ^ ((y << np.uint32(by)) | (y >> np.uint32(32 - by)))
    x = x + keys[(part + 1) % 3]
    y = y + keys[(part + 2) % 3] + np.uint32(part + 1)
  return x, y
