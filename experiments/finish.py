"""--finish: what is done to a model's fill beside filling."""

from typing import Any

from absl import flags

FINISH = flags.DEFINE_string(
  'finish',
  None,
  'What is done to what a model fills, joined by +. mirrored: the mirror image'
  ' is filled too and the mean of both taken: nearer the truth, smoother, in'
  ' twice the time; blended: its colours are shifted to meet those at the edge'
  ' of the hole (Poisson blending); textured: it gets the texture of the most'
  ' similar known patches, sharp, and further from the truth; textured:0.3: of'
  ' that so much, less sharp, and nearer to it. Holes deeper than those of the'
  ' training get all of it where no share is given. In an evaluation'
  ' several may be compared, with commas between: ,textured has each model as'
  ' it is, and with texture.',
)
_FEATURES = flags.DEFINE_string(
  'features',
  None,
  'Workdir of a completion network, by whose first layer patches are compared'
  ' too where texture is given; none: by their colours alone.',
)
KINDS = ('mirrored', 'blended', 'textured')


def parsed(text: str) -> dict[str, Any]:
  """What of `KINDS` is asked for.

  Args:
    text: of --finish, or one of its alternatives.

  Returns:
    Options of `inpaintax.restore.make_filler` and `fill_image`, by name.

  Raises:
    InputError: a word is not known, or stands twice.
  """
  from inpaintax.errors import InputError

  words = [word.partition(':') for word in text.split('+')] if text else []
  names = [name for name, _, _ in words]
  shares = [share for name, _, share in words if name == 'textured']
  wrong = [x for name, colon, x in words if colon and name != 'textured']
  wrong += [name for name in names if name not in KINDS]
  if wrong or len(set(names)) < len(names):
    raise InputError(
      f'--finish={text}: join each of {", ".join(KINDS)} once at most, by +.'
    )
  return {
    'mirrored': 'mirrored' in names,
    'blended': 'blended' in names,
    'textured': _share(text, shares[0] or '1') if shares else 0.0,
  }


def _share(text, share):
  """How much texture."""
  from inpaintax.errors import InputError

  try:
    number = float(share)
  except ValueError:
    number = 0.0
  if not 0 < number <= 1:
    raise InputError(
      f'--finish={text}: textured:SHARE is above 0 and at most 1.'
    )
  return number


def alternatives() -> dict[str, dict[str, Any]]:
  """The ways to finish that --finish names, for an evaluation.

  Returns:
    What each of them asks for, as from `parsed`, by its text.

  Raises:
    InputError: two are the same, or one is not known.
  """
  from inpaintax.errors import InputError

  texts = (FINISH.value or '').split(',')
  found = {text: parsed(text) for text in texts}
  if len({tuple(wanted.values()) for wanted in found.values()}) < len(texts):
    raise InputError(f'--finish={FINISH.value}: two alternatives are the same.')
  return found


def describe() -> Any:
  """What patches are compared by beside their colours, or None.

  Returns:
    For `inpaintax.restore.texture.refine`.

  Raises:
    InputError: --features is the workdir of no completion network.
    CheckpointError: it has no usable checkpoint.
  """
  from inpaintax import checkpoints
  from inpaintax.errors import CheckpointError, InputError
  from inpaintax.restore import features

  place = _FEATURES.value
  if place is None:
    return None
  try:
    return features.make_describe(checkpoints.load_generator(place))
  except CheckpointError as error:
    raise CheckpointError(f'--features={place}: {error}') from error
  except ValueError as error:
    raise InputError(f'--features={place}: {error}') from error
