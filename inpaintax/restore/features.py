"""What a trained generator sees in an image, to compare patches by."""

import functools
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from inpaintax import checkpoints, models
from inpaintax.restore.texture import Describe

# First convolutions of the generators, by the names that they may have.
_LAYERS = ('down0', 'conv1', 'coarse1')
# Spread of the features beside colours in [0, 1].
_SPREAD = 0.1


def make_describe(trained: checkpoints.Trained) -> Describe:
  """Makes a trained generator's first convolution into features of images.

  No network that somebody else has trained is needed, which a perceptual
  comparison usually takes. Each channel is brought to mean 0 and one spread.

  Args:
    trained: a generator that takes images of any size.

  Returns:
    From float32 `[h, w, 3]` in [0, 1] to float32 `[h, w, F]`, for
    `texture.refine`.

  Raises:
    ValueError: the generator takes one size only, or has no such layer.
  """
  multiple = trained.record.get('multiple')
  if multiple is None:
    raise ValueError('features need a generator of images of any size.')
  module = models.build(trained.record['generator'])
  first = lambda layer, _: layer.name in _LAYERS

  @jax.jit
  def see(variables: dict[str, Any], image: jax.Array) -> Any:
    mask = jnp.zeros((*image.shape[:3], 1))
    _, found = module.apply(
      variables,
      image,
      mask,
      train=False,
      capture_intermediates=first,
      mutable=['intermediates'],
    )
    return jax.tree.leaves(found['intermediates'])

  def describe(variables: dict[str, Any], image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    edges = [(0, -n % multiple) for n in (height, width)]
    padded = np.pad(2 * image - 1, [*edges, (0, 0)], 'symmetric')
    maps = see(variables, padded[None])
    if not maps:
      raise ValueError(f'no layer of this generator is {", ".join(_LAYERS)}.')
    seen = np.array(maps[0][0], np.float32)
    seen = (seen - seen.mean((0, 1))) / (seen.std((0, 1)) + 1e-6)
    size = padded.shape[1::-1]
    # OpenCV takes four channels at a time when it enlarges.
    parts = [
      cv2.resize(seen[..., i : i + 4], size).reshape(*size[::-1], -1)
      for i in range(0, seen.shape[-1], 4)
    ]
    return _SPREAD * np.concatenate(parts, -1)[:height, :width]

  return functools.partial(describe, jax.device_put(trained.variables))
