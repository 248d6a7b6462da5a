"""The flags that say how both players move, and their optimisers."""

from collections.abc import Sequence
from typing import Any

from absl import flags

_GEN_OPTIMIZER = flags.DEFINE_enum(
  'gen_optimizer',
  'adam',
  ['adam', 'muon'],
  'What moves G. muon, for its hidden convolutions: gets further in as many'
  ' updates.',
)
_GEN_LR = flags.DEFINE_float('gen_lr', 2e-3, 'Rate of G.', lower_bound=0.0)
_DISC_LR = flags.DEFINE_float(
  'disc_lr', 2e-4, 'Adam rate of D.', lower_bound=0.0
)
_BETA1 = flags.DEFINE_float(
  'beta1',
  0.5,
  "Adam's first decay; Muon has its own.",
  lower_bound=0.0,
  upper_bound=1.0,
)
_DECAY = flags.DEFINE_float(
  'decay',
  0.0,
  'Share of the run, at its end, over which both rates fall to zero.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_ACCUMULATE = flags.DEFINE_integer(
  'accumulate',
  1,
  'Batches whose gradients make one update, for batches too large for the'
  ' device. --steps and all intervals count batches.',
  lower_bound=1,
)


def check(counts: Sequence[str]) -> None:
  """Refuses batches that would make no update.

  Args:
    counts: names of the flags that count batches.

  Raises:
    InputError: says which.
  """
  from inpaintax.errors import InputError

  batches = _ACCUMULATE.value
  for flag in counts:
    value: Any = flags.FLAGS[flag].value
    if value % batches:
      raise InputError(
        f'--{flag}={value} is not a multiple of --accumulate={batches}: the'
        ' last batches would do nothing.'
      )


def described() -> dict[str, Any]:
  """What the state of both optimisers follows from, as plain JSON."""
  return {'generator': _GEN_OPTIMIZER.value, 'accumulate': _ACCUMULATE.value}


def generators(batches: int) -> Any:
  """The optimiser of G.

  Args:
    batches: that it is trained on.

  Returns:
    An optax optimiser: its rate is constant, then falls along a cosine to zero.
  """
  from inpaintax.steps import optimizers

  rate = _rate(_GEN_LR.value, batches)
  if _GEN_OPTIMIZER.value == 'muon':
    return _accumulated(optimizers.muon(rate))
  return _adam(rate)


def discriminators(batches: int) -> Any:
  """The optimiser of D, likewise.

  With --accumulate D moves after the last of its batches, so that G's gradients
  of the others are of the D before; batch norm sees each batch alone.
  """
  return _adam(_rate(_DISC_LR.value, batches))


def _rate(peak, batches):
  import optax

  updates = batches // _ACCUMULATE.value
  tail = round(_DECAY.value * updates)
  # A schedule too: a run may go on with another --decay.
  rate = optax.constant_schedule(peak)
  if tail > 0:
    falling = optax.cosine_decay_schedule(peak, tail)
    rate = optax.join_schedules([rate, falling], [updates - tail])
  return rate


def _adam(rate):
  import optax

  return _accumulated(optax.adam(rate, b1=_BETA1.value))


def _accumulated(tx):
  import optax

  if _ACCUMULATE.value == 1:
    return tx
  return optax.MultiSteps(tx, _ACCUMULATE.value).gradient_transformation()
