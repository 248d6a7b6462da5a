"""Models: one file per paper, and the names under which records know them.

A record `{'name': ..., 'options': {...}}`, plain JSON, describes a module; it
is saved with every checkpoint, so that a checkpoint alone is enough.

On a CPU the convolutional ones have reverse-mode derivatives of any order, but
`jax.jvp` and `jax.jacfwd` refuse them: see `models.convolution`.
"""

from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.models import (
  completion,
  context_encoder,
  convolutional,
  deck,
  residual,
  ssda,
  two_stage,
)

MODELS: dict[str, type[nn.Module]] = {
  'context_generator': context_encoder.ContextGenerator,
  'context_discriminator': context_encoder.ContextDiscriminator,
  'residual_generator': residual.ResidualGenerator,
  'spectral_discriminator': residual.SpectralDiscriminator,
  'stacked_autoencoder': ssda.StackedAutoencoder,
  'convolutional_autoencoder': convolutional.ConvolutionalAutoencoder,
  'completion_generator': completion.CompletionGenerator,
  'global_local_discriminator': completion.GlobalLocalDiscriminator,
  'patch_discriminator': two_stage.PatchDiscriminator,
  'two_stage_generator': two_stage.TwoStageGenerator,
  'deck_generator': deck.DeckGenerator,
  'deck_discriminator': deck.DeckDiscriminator,
}


def build(
  record: dict[str, Any],
  *,
  axis_name: str | None = None,
  dtype: jax.typing.DTypeLike = jnp.float32,
) -> nn.Module:
  """Builds the module that a record describes.

  Args:
    record: `{'name': one of MODELS, 'options': its keyword options}`.
    axis_name: pmapped axis that shares batch statistics, or None.
    dtype: type of the computation; parameters and statistics stay float32.

  Returns:
    The module, without parameters.

  Raises:
    ValueError: the name is not known, or an option does not exist.

  >>> build({'name': 'context_discriminator', 'options': {'widths': [8, 16]}})
  ... # doctest: +ELLIPSIS
  ContextDiscriminator(...
  """
  name, options = record['name'], record['options']
  if name not in MODELS:
    raise ValueError(f'unknown model {name!r}, known: {", ".join(MODELS)}.')
  try:
    return MODELS[name](**options, axis_name=axis_name, dtype=dtype)
  except TypeError as error:
    raise ValueError(f'options of {name} do not fit: {error}.') from error
