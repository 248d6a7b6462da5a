"""The flags that say what network of patches to train."""

from typing import Any

from absl import flags

SIDE = flags.DEFINE_integer(
  'side', 13, 'Side of the patches, pixels.', lower_bound=1
)
_OUTPUT_SIDE = flags.DEFINE_integer(
  'output_side',
  None,
  'Side of the central part that is predicted; none: --side.',
  lower_bound=1,
)
_FACTOR = flags.DEFINE_float(
  'factor',
  5.0,
  'Hidden units per pixel of a patch; with --cell, those of the first layer per'
  ' pixel of a cell, twice as many for each further one.',
  lower_bound=0.0,
)
DEPTH = flags.DEFINE_integer(
  'depth', 2, 'Stacked auto-encoders, K.', lower_bound=1
)
_HIDDEN_UNIT = flags.DEFINE_enum(
  'hidden_unit',
  'sigmoid',
  ['sigmoid', 'tanh', 'relu', 'linear'],
  'Hidden units.',
)
_OUTPUT_UNIT = flags.DEFINE_enum(
  'output_unit', 'linear', ['linear', 'sigmoid'], 'Units of the last layer.'
)
_KEEP_MEAN = flags.DEFINE_bool(
  'keep_mean', True, "Whether the network sees a patch's mean."
)
_GAIN = flags.DEFINE_float(
  'gain', 2.5, 'Units of code per unit of pixels in [-1, 1].', lower_bound=1e-6
)
_CODE_CENTER = flags.DEFINE_float(
  'code_center', 0.0, "The code of middle grey, or of the patch's mean."
)
_CODE_LIMIT = flags.DEFINE_float(
  'code_limit',
  None,
  'Codes are clipped so far from their centre; none: not at all.',
  lower_bound=1e-6,
)
CELL = flags.DEFINE_integer(
  'cell',
  None,
  'Convolutions instead of layers that see all of a patch: the first sees cells'
  ' of so many pixels a side, each further one cells twice as wide. None: no'
  ' convolutions.',
  lower_bound=1,
)
_GATED = flags.DEFINE_bool(
  'gated', False, 'Whether gates pass on pixels that need no change.'
)


def described() -> dict[str, Any]:
  """The network, as a checkpoint's record has it.

  Returns:
    Plain JSON.

  Raises:
    InputError: flags do not fit together.
  """
  from inpaintax.errors import InputError

  side, out = SIDE.value, _OUTPUT_SIDE.value
  if out is not None and (out > side or (side - out) % 2):
    raise InputError(
      f'--output_side={out} has no exact centre place in --side={side}.'
    )
  cell = CELL.value
  if cell is not None:
    largest = cell * 2 ** (DEPTH.value - 1)
    if side % largest:
      raise InputError(
        f'--cell={cell}, doubled by each layer to {largest} with'
        f' --depth={DEPTH.value}, does not divide --side={side}.'
      )
  units = round(_FACTOR.value * (cell or side) ** 2)
  hidden = [units * 2**layer if cell else units for layer in range(DEPTH.value)]
  if not 1 <= units <= max(hidden) <= 100_000:
    raise InputError(
      f'--factor={_FACTOR.value:g} makes {max(hidden):,} hidden units: there'
      ' may be 1 to 100,000.'
    )
  options = {
    'side': side,
    'hidden': hidden,
    'output_side': out,
    'activation': _HIDDEN_UNIT.value,
    'output': _OUTPUT_UNIT.value,
    'keep_mean': _KEEP_MEAN.value,
    'gain': _GAIN.value,
    'center': _CODE_CENTER.value,
    'limit': _CODE_LIMIT.value,
    'gated': _GATED.value,
  }
  if cell is None:
    return {'name': 'stacked_autoencoder', 'options': options}
  options['cell'] = cell
  return {'name': 'convolutional_autoencoder', 'options': options}
