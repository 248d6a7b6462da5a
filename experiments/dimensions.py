"""The flags that say how large networks and their images are."""

from typing import Any

from absl import flags

SIZE = flags.DEFINE_integer(
  'size', 64, 'Side of the training crops, pixels.', lower_bound=16
)
WIDTH = flags.DEFINE_integer(
  'width', 64, "Channels of the generator's first map.", lower_bound=1
)
DISC_WIDTH = flags.DEFINE_integer(
  'disc_width', 64, "Channels of the discriminator's first map.", lower_bound=1
)
_RESIDUAL_BLOCKS = flags.DEFINE_integer(
  'residual_blocks',
  4,
  "At the residual model's smallest map.",
  lower_bound=0,
)
_DECODER_BLOCKS = flags.DEFINE_integer(
  'decoder_blocks',
  0,
  "Residual blocks at each scale of the residual model's decoder.",
  lower_bound=0,
)
# They have a meaning for the residual model alone.
BLOCK_FLAGS = ('residual_blocks', 'decoder_blocks')


def blocks() -> dict[str, Any]:
  """The residual model's blocks, as options of its record.

  Older records have no `decoder_blocks`, and mean none.
  """
  options = {'residual_blocks': _RESIDUAL_BLOCKS.value}
  if _DECODER_BLOCKS.value:
    options['decoder_blocks'] = _DECODER_BLOCKS.value
  return options
