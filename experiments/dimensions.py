"""The flags that say how large networks and their images are."""

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
RESIDUAL_BLOCKS = flags.DEFINE_integer(
  'residual_blocks',
  4,
  "At the residual model's smallest map.",
  lower_bound=0,
)
