"""A sweep's folder: what was asked for, and what its trials have come to."""

import json
import math
import pathlib
import statistics
from typing import Any, NamedTuple

from experiments.sweeps import plan, process
from inpaintax import atomic
from inpaintax.errors import InputError

_NAME = 'sweep.json'
# Of a metric that is taken of a batch: so many lines are averaged.
_LINES = 5
_CONFIDENCE = 0.975  # Two-sided 95 %.


class Trial(NamedTuple):
  """One training of a sweep.

  Attributes:
    name: of its folder.
    flags: its own, texts by name.
    workdir: of the training.
    status: running, finished, failed, stopped, or behind: ended early.
    code: the program's exit code, once it has ended.
    seconds: that it ran, all starts together.
    gpus: that it had.
    command: that ran it.
    step: of its last line of metrics.
    score: the last value of the sweep's metric; None: there is none.
    others: the last values of all other metrics; of those that are no figure of
      validation images, the mean of the last few lines.
  """

  name: str
  flags: dict[str, str]
  workdir: pathlib.Path
  status: str
  code: int | None
  seconds: float
  gpus: float
  command: list[str]
  step: int
  score: float | None
  others: dict[str, float]


class Row(NamedTuple):
  """Trials that differ in their seed alone.

  Attributes:
    label: their flags, in a line.
    trials: they.
    scores: of those that have one.
    mean: of the scores; None: there are none.
    margin: half of the mean's 95 % interval (Student's t, over seeds); None
      with fewer than two scores.
    others: means of all other metrics.
  """

  label: str
  trials: list[Trial]
  scores: list[float]
  mean: float | None
  margin: float | None
  others: dict[str, float]


def save(folder: pathlib.Path, sweep: plan.Sweep) -> None:
  """Writes what is asked for; what was asked before and is there stays known.

  Args:
    folder: of the sweep; made if it is not there.
    sweep: what is asked for.

  Raises:
    InputError: the folder cannot be made or written to.
  """
  try:
    (folder / 'trials').mkdir(parents=True, exist_ok=True)
    text = json.dumps(sweep._asdict(), indent=2)
    atomic.write_text(folder / _NAME, text + '\n')
  except OSError as error:
    raise InputError(
      f'--workdir={folder} cannot be written to: {error.strerror}.'
    ) from error


def load(folder: pathlib.Path) -> plan.Sweep | None:
  """What was asked for.

  Args:
    folder: of a sweep, or of anything.

  Returns:
    It; None if this is no sweep's folder.

  Raises:
    InputError: it is one, but damaged.
  """
  try:
    found = json.loads((folder / _NAME).read_text())
    ranges = {
      name: plan.Range(kind, tuple(values))
      for name, (kind, values) in found['search'].items()
    }
    sweep = plan.Sweep(**found | {'search': ranges})
    texts = [sweep.program, sweep.metric, sweep.mode, *sweep.flags]
    texts += [x for values in sweep.grid.values() for x in values]
    if not all(isinstance(text, str) for text in texts):
      raise ValueError('a text is none')
    return sweep._replace(seeds=[int(seed) for seed in sweep.seeds])
  except (FileNotFoundError, NotADirectoryError):
    return None
  except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
    raise InputError(
      f'{folder / _NAME} cannot be read: {error}. Remove it: the trials stay.'
    ) from error


def trials(folder: pathlib.Path, sweep: plan.Sweep) -> list[Trial]:
  """All trials that have begun, of this and of earlier commands.

  Args:
    folder: of the sweep.
    sweep: what is compared.

  Returns:
    They, by name.
  """
  found = []
  for workdir in sorted((folder / 'trials').glob('*')):
    about = process.read(workdir)
    if about:
      found.append(_trial(workdir, about, sweep))
  return found


def _trial(workdir, about, sweep):
  lines = process.metrics(workdir)
  values: dict[str, list[float]] = {}
  for line in lines:
    for name, value in line.items():
      if isinstance(value, int | float) and math.isfinite(value):
        values.setdefault(name, []).append(value)
  last = {
    name: statistics.fmean(
      found[-1:] if name.startswith('val/') else found[-_LINES:]
    )
    for name, found in values.items()
    if any(found)  # Not what is always 0.
  }
  scores = values.get(sweep.metric)
  status = about['status']
  if status == 'running' and not process.in_use(workdir):
    status = 'stopped'  # It was killed before it could say so.
  return Trial(
    name=workdir.name,
    flags=about['flags'],
    workdir=workdir,
    status=status,
    code=about.get('code'),
    seconds=about.get('seconds', 0.0),
    gpus=about.get('gpus', 0.0),
    command=about['command'],
    step=lines[-1]['step'] if lines else 0,
    score=scores[-1] if scores else None,
    others={k: v for k, v in last.items() if k not in ('step', sweep.metric)},
  )


def leaderboard(trials: list[Trial], sweep: plan.Sweep) -> list[Row]:
  """Settings, the best first; those without a score last.

  Args:
    trials: of `trials`. Those that were stopped early have the score that they
      had then.
    sweep: what is compared.

  Returns:
    A row for each setting.
  """
  groups: dict[tuple[Any, ...], list[Trial]] = {}
  for trial in trials:
    own = plan.settings(trial.flags)
    groups.setdefault(tuple(sorted(own.items())), []).append(trial)
  rows = [_row(group) for group in groups.values()]
  sign = -1 if sweep.mode == 'max' else 1
  return sorted(
    rows, key=lambda r: math.inf if r.mean is None else sign * r.mean
  )


def _row(group):
  own = plan.settings(group[0].flags)
  scores = [trial.score for trial in group if trial.score is not None]
  mean, margin = interval(scores)
  label = ' '.join(f'{name}={value}' for name, value in own.items())
  names = sorted({name for trial in group for name in trial.others})
  others = {
    name: statistics.fmean([x.others[name] for x in group if name in x.others])
    for name in names
  }
  return Row(label or 'as given', group, scores, mean, margin, others)


def interval(scores: list[float]) -> tuple[float | None, float | None]:
  """A mean, and half of its 95 % interval.

  Args:
    scores: of several seeds.

  Returns:
    (mean, margin), as in `Row`.
  """
  from scipy import stats

  if not scores:
    return None, None
  mean, count = statistics.fmean(scores), len(scores)
  if count < 2:
    return mean, None
  spread = statistics.stdev(scores) / math.sqrt(count)
  return mean, float(stats.t.ppf(_CONFIDENCE, count - 1)) * spread
