"""What a page on a sweep shows: who leads, why, what failed, what it cost."""

import pathlib
import shlex
import statistics
from typing import Any

from experiments.reports import charts, page, runs
from experiments.sweeps import plan, process, record

# Lines of a failed trial's log.
_LOG_LINES = 15
_MOST_CURVES = 60
_ENDED = ('finished', 'behind', 'failed')


def content(workdir: pathlib.Path, sweep: plan.Sweep) -> dict[str, Any]:
  """What the template `sweep.html` shows.

  Args:
    workdir: of the sweep.
    sweep: what was compared.

  Returns:
    Texts, numbers and pieces of HTML.
  """
  trials = record.trials(workdir, sweep)
  board = record.leaderboard(trials, sweep)
  scored = [row for row in board if row.mean is not None]
  return {
    'title': workdir.absolute().name,
    'sweep': sweep,
    'flags': shlex.join(sweep.flags),
    'counts': _counts(trials),
    'finding': _finding(scored, trials, sweep),
    'cost': _cost(trials),
    'facts': runs.surroundings(trials[0].workdir) if trials else [],
    'board': [_row(row) for row in board],
    'others': sorted({x for row in board for x in row.others}, key=_rank),
    'effects': [_effect(name, trials, sweep) for name in _names(sweep)],
    'shares': _shares(trials, sweep),
    'curves': _curves(scored, sweep),
    'ends': _ends(scored),
    'failures': [_failure(t) for t in trials if t.status == 'failed'],
  }


def _counts(trials):
  """How many have come to what: (status, number)."""
  order = ('finished', 'behind', 'stopped', 'failed', 'running')
  found = [(x, sum(t.status == x for t in trials)) for x in order]
  return [(status, number) for status, number in found if number]


def _finding(scored, trials, sweep):
  """The first two of the board, in a sentence."""
  if not scored:
    return 'No trial has a score yet.'
  best = scored[0]
  text = '' if all(t.status in _ENDED for t in trials) else 'So far, '
  text += f'{best.label} leads with {sweep.metric} {best.mean:.4g}'
  if best.margin is not None:
    text += f' ± {best.margin:.2g} (95 %, {len(best.scores)} seeds)'
  if len(scored) > 1:
    second = scored[1]
    text += (
      f'; next is {second.label}, {abs(best.mean - second.mean):.2g} behind'
    )
    if best.margin is not None and second.margin is not None:
      apart = abs(best.mean - second.mean) > best.margin + second.margin
      text += (
        ': more than chance among seeds explains.'
        if apart
        else ': no more than chance among seeds explains.'
      )
      return text
  return text + '.'


def _cost(trials):
  """Time of all trials: (what, text)."""
  seconds = sum(trial.seconds for trial in trials)
  gpus = sum(trial.seconds * trial.gpus for trial in trials) / 3600
  facts = [('time of all trials together', page.duration(seconds))]
  if gpus:
    facts.append(('GPU-hours', f'{gpus:.2f}'))
  timed = [t for t in trials if t.seconds and t.step]
  images = sum(t.step * runs.batch_size(t.workdir) for t in timed)
  if images:
    rate = images / sum(trial.seconds for trial in timed)
    facts.append(('images a second of a trial, all included', f'{rate:.3g}'))
  return facts


def _row(row):
  """A line of the leaderboard."""
  return {
    'label': row.label,
    'mean': row.mean,
    'margin': row.margin,
    'steps': sorted({trial.step for trial in row.trials}),
    'others': row.others,
    'trials': [
      {
        'name': trial.name,
        'status': trial.status,
        'score': trial.score,
        'step': trial.step,
        'time': page.duration(trial.seconds),
        'command': shlex.join(['python', *trial.command[1:]]),
      }
      for trial in row.trials
    ],
  }


def _rank(name):
  """Figures of validation images before all others."""
  return not name.startswith('val/'), name


def _names(sweep):
  """The flags that differ."""
  names = [*sweep.grid, *sweep.search]
  return [*names, 'seed'] if len(sweep.seeds) > 1 else names


def _effect(name, trials, sweep):
  """All scores over one flag."""
  chosen = [t for t in trials if t.score is not None and name in t.flags]
  ranged = sweep.search.get(name)
  return charts.points(
    name,
    [trial.flags[name] for trial in chosen],
    [trial.score for trial in chosen],
    [trial.name for trial in chosen],
    metric=sweep.metric,
    kind=ranged.kind if ranged else 'choice',
  )


def _shares(trials, sweep):
  """How much of the scores' variance each flag of a grid explains: (name, %).

  The variance of the means over all else (eta squared), where every
  combination has a score.
  """
  wanted = plan.combinations(sweep.grid, sweep.seeds)
  scores = {t.name: t.score for t in trials}
  found = [scores.get(plan.trial_name(one)) for one in wanted]
  if len(wanted) < 4 or any(score is None for score in found):
    return []
  mean = statistics.fmean(found)
  total = sum((score - mean) ** 2 for score in found)
  if not total:
    return []
  shares = []
  for name in _names(sweep):
    groups: dict[str, list[float]] = {}
    for one, score in zip(wanted, found, strict=True):
      groups.setdefault(one[name], []).append(score)
    between = sum(
      len(group) * (statistics.fmean(group) - mean) ** 2
      for group in groups.values()
    )
    shares.append((name, 100 * between / total))
  rest = 100 - sum(share for _, share in shares)
  return [
    *sorted(shares, key=lambda x: -x[1]),
    ('their interplay and chance', rest),
  ]


def _curves(scored, sweep):
  """The metric of every trial over its steps, a colour for each setting."""
  lines, groups = [], []
  for number, row in enumerate(scored):
    for trial in row.trials:
      points = [
        (line['step'], line[sweep.metric])
        for line in process.metrics(trial.workdir)
        if sweep.metric in line
      ]
      if points:
        lines.append((trial.name, *zip(*points, strict=True)))
        groups.append((number, row.label))
  if not lines:
    return ''
  few = lines[:_MOST_CURVES]
  return charts.curves(sweep.metric, few, groups=groups)


def _ends(scored):
  """The best trial's pictures, and the worst's: (label, picture)."""
  found = []
  for row in (scored[0], scored[-1]) if len(scored) > 1 else scored:
    drawn = runs.pictures(row.trials[0].workdir)
    if drawn:
      found.append((f'{row.label}, step {drawn[-1][0]}', drawn[-1][1]))
  return found


def _failure(trial):
  """A failed trial, and what it said last."""
  try:
    text = (trial.workdir / 'log.txt').read_text(errors='replace')
  except OSError:
    text = ''
  return {
    'name': trial.name,
    'code': trial.code,
    'command': shlex.join(['python', *trial.command[1:]]),
    'log': '\n'.join(text.splitlines()[-_LOG_LINES:]),
  }
