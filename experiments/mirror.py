"""--mirrored: fill the mirror image too."""

from absl import flags

MIRRORED = flags.DEFINE_bool(
  'mirrored',
  False,
  'Fill holes in the mirror image too, and take the mean of both: closer to the'
  ' truth and smoother, in twice the time.',
)
