"""The flags that say what networks are trained to do, and what they mean."""

import functools
from collections.abc import Callable
from typing import Any

from absl import flags

from experiments import program

_RECONSTRUCTION = flags.DEFINE_enum(
  'reconstruction',
  'masked_l2',
  ['masked_l2', 'masked_l1', 'discounted_l1', 'overlap_l2'],
  "Reconstruction loss: inside the hole (Pathak's paper), there less with the"
  ' distance from what is known (--discount), or over the whole output with'
  " --known_weight (Pathak's code).",
)
_DISCOUNT = flags.DEFINE_float(
  'discount',
  0.99,
  'Weight of discounted_l1 at each pixel further into the hole.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_KNOWN_WEIGHT = flags.DEFINE_float(
  'known_weight',
  10.0,
  'Weight of known pixels in overlap_l2, missing ones having 1.',
  lower_bound=0.0,
)
_ADVERSARIAL = flags.DEFINE_enum(
  'adversarial',
  'bce',
  ['bce', 'least_squares', 'hinge', 'wasserstein'],
  'Form of the adversarial loss.',
)
_FEATURE_WEIGHT = flags.DEFINE_float(
  'feature_weight',
  0.0,
  "Weight of the distance between what D's layers see of the true image and of"
  ' the filled one.',
  lower_bound=0.0,
)
_STYLE_WEIGHT = flags.DEFINE_float(
  'style_weight',
  0.0,
  "Weight of the distance between the Gram matrices of what D's layers see.",
  lower_bound=0.0,
)
_TV_WEIGHT = flags.DEFINE_float(
  'tv_weight',
  0.0,
  "Weight of the composite's total variation.",
  lower_bound=0.0,
)
_PENALTY = flags.DEFINE_enum(
  'penalty',
  'none',
  ['none', 'gradient', 'r1'],
  "What D pays for: slopes other than 1 (WGAN-GP's), or slopes at true images.",
)
_PENALTY_WEIGHT = flags.DEFINE_float(
  'penalty_weight', 10.0, 'Weight of the --penalty.', lower_bound=0.0
)
ADVERSARIAL_WEIGHT = flags.DEFINE_float(
  'adversarial_weight',
  1e-3,
  'Weight of the adversarial loss; reconstruction has the rest.',
  lower_bound=0.0,
  upper_bound=1.0,
)


def check() -> None:
  """Refuses flags that are of no effect.

  Raises:
    InputError: says which.
  """
  if not ADVERSARIAL_WEIGHT.value:
    names = [
      'feature_weight',
      'style_weight',
      'penalty',
      'penalty_weight',
      'gen_only',
    ]
    program.refuse([*names, 'disc_only'], 'with --adversarial_weight=0')
  if _PENALTY.value == 'none':
    program.refuse(['penalty_weight'], 'without --penalty')
  if _RECONSTRUCTION.value != 'discounted_l1':
    kind = f'with --reconstruction={_RECONSTRUCTION.value}'
    program.refuse(['discount'], kind)


def reconstruction() -> Callable[..., Any]:
  """The reconstruction loss.

  Returns:
    `(prediction, target, mask) -> [B]`.
  """
  from inpaintax.losses import penalties
  from inpaintax.losses import reconstruction as losses
  from inpaintax.steps import gan

  known: dict[str, Callable[..., Any]] = {
    'masked_l2': losses.masked_l2,
    'masked_l1': losses.masked_l1,
    'discounted_l1': functools.partial(
      losses.discounted_l1, discount=_DISCOUNT.value
    ),
    'overlap_l2': functools.partial(
      losses.overlap_l2, known_weight=_KNOWN_WEIGHT.value
    ),
  }
  distance, weight = known[_RECONSTRUCTION.value], _TV_WEIGHT.value
  if not weight:
    return distance

  def smooth(prediction, target, mask):
    composite = gan.composite(prediction, target, mask)
    rough = penalties.total_variation(composite)
    return distance(prediction, target, mask) + weight * rough

  return smooth


def predicts_known() -> bool:
  """Whether known pixels have a share in the reconstruction loss."""
  return _RECONSTRUCTION.value == 'overlap_l2' and _KNOWN_WEIGHT.value > 0


def adversarial() -> dict[str, Any]:
  """What G and D play for: options of `steps.gan.make_gan_step`."""
  from inpaintax.losses import penalties
  from inpaintax.losses.adversarial import ADVERSARIAL

  known = {
    'none': None,
    'gradient': penalties.gradient_penalty,
    'r1': lambda critic, real, *_: penalties.r1(critic, real),
  }
  return {
    'form': ADVERSARIAL[_ADVERSARIAL.value],
    'adversarial_weight': ADVERSARIAL_WEIGHT.value,
    'feature_weight': _FEATURE_WEIGHT.value,
    'style_weight': _STYLE_WEIGHT.value,
    'penalty': known[_PENALTY.value],
    'penalty_weight': _PENALTY_WEIGHT.value,
  }
