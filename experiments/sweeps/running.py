"""A sweep from its start to its end, as its user sees it."""

import os
import pathlib
from typing import NamedTuple

from experiments.sweeps import engine, plan, process, record
from inpaintax.checkpoints import lock
from inpaintax.errors import InputError

# What there is no more to do for.
_ENDED = ('finished', 'behind')


class Asked(NamedTuple):
  """How trials are run. None of it changes what one of them comes to.

  Attributes:
    trials: how many there are to be.
    stop_early: whether to end what is behind.
    grace: steps before which no trial is ended.
    steps: of a whole trial.
    retries: how often a trial that fails goes on.
  """

  trials: int
  stop_early: bool
  grace: int
  steps: int
  retries: int


def run(
  sweep: plan.Sweep,
  folder: pathlib.Path,
  asked: Asked,
  resources: engine.Resources,
) -> None:
  """Has every trial run that has not come to its end.

  Args:
    sweep: what is compared.
    folder: of the sweep.
    asked: how.
    resources: with what.

  Raises:
    InputError: no trial can run with these resources, or the folder cannot be
      used, or another sweep uses it.
  """
  try:
    folder.mkdir(parents=True, exist_ok=True)
    own = lock.Lock(folder)
  except OSError as error:
    raise InputError(
      f'--workdir={folder} cannot be written to: {error.strerror}.'
    ) from error
  try:
    if not asked.stop_early:
      _mark(record.trials(folder, sweep), 'behind', 'stopped')  # To go on.
    before = record.trials(folder, sweep)
    todo = _todo(sweep, asked, before)
    if todo is None:
      record.save(folder, sweep)  # By another metric, perhaps.
      print(f'All {asked.trials} trials have finished.')
      return
    with engine.running(resources) as found:
      record.save(folder, sweep)
      print(_beginning(asked.trials, found, folder), flush=True)
      _go(sweep, folder, asked, found, todo, before)
    if asked.stop_early:
      _mark(record.trials(folder, sweep), 'stopped', 'behind')
  finally:
    own.release()


def _todo(sweep, asked, trials):
  """What a grid has left, None for nothing; a search chooses by itself."""
  if sweep.search:
    return []
  every = plan.combinations(sweep.grid, sweep.seeds)
  done = {trial.name for trial in trials if trial.status in _ENDED}
  left = [one for one in every if plan.trial_name(one) not in done]
  # Those that are done count too where others are compared with them.
  return (every if asked.stop_early else left) if left else None


def _go(sweep, folder, asked, found, todo, before):
  """Has Ray run them."""
  if sweep.search:
    known = [t.flags for t in before if plan.within(t.flags, sweep)]
    space, searcher = engine.optuna(sweep.search, known[: asked.trials], seed=0)
    if sweep.seeds:
      space['seed'] = str(sweep.seeds[0])
  else:
    space, searcher = engine.grid(todo), None
  scheduler = None
  if asked.stop_early:
    scheduler = engine.halving(steps=asked.steps, grace=asked.grace)
  engine.run(
    space,
    searcher,
    trials=asked.trials if searcher else 1,
    scheduler=scheduler,
    metric=sweep.metric,
    mode=sweep.mode,
    retries=asked.retries,
    resources=found,
    scratch=folder / 'ray',
    ended=lambda: _tell(sweep, folder, asked.trials),
    program=sweep.program,
    flags=sweep.flags,
    folder=str(folder / 'trials'),
    directory=os.getcwd(),
  )


def _mark(trials, old, new):
  """What was stopped in a sweep that has come to its end was behind."""
  for trial in trials:
    if trial.status == old:
      process.note(trial.workdir, status=new)


def _beginning(number, found, folder):
  """What is about to happen, in a line."""
  share = found.gpus_per_trial
  at_once = found.cpus // found.cpus_per_trial
  has = f'{found.cpus_per_trial} of {found.cpus} CPUs'
  if share:
    at_once = min(at_once, int(found.gpus / share))
    has += f' and {share:g} of {found.gpus} GPUs'
  return f'{number} trials, {at_once} at once, each {has}: {folder}/trials'


def _tell(sweep, folder, number):
  """How far the sweep is."""
  trials = record.trials(folder, sweep)
  count = lambda status: sum(trial.status == status for trial in trials)
  text = f'{count("finished")} of {number} trials finished'
  for status in ('behind', 'stopped', 'failed'):
    if count(status):
      text += f', {count(status)} {status}'
  board = record.leaderboard(trials, sweep)
  if board and board[0].mean is not None:
    text += f'; best: {board[0].label} {sweep.metric} {board[0].mean:.6g}'
  print(text, flush=True)


def show(sweep: plan.Sweep, trials: list[record.Trial]) -> None:
  """Prints the leaderboard.

  Args:
    sweep: what was compared.
    trials: of `record.trials`.
  """
  import rich.console
  import rich.table

  table = rich.table.Table(title=sweep.metric, title_justify='left')
  table.add_column('flags', overflow='fold')
  for heading in ('mean', '95 %', 'seeds'):
    table.add_column(heading, justify='right', no_wrap=True)
  for row in record.leaderboard(trials, sweep):
    mean = '–' if row.mean is None else f'{row.mean:.4g}'
    interval = '–' if row.margin is None else f'± {row.margin:.2g}'
    table.add_row(row.label, mean, interval, str(len(row.scores)))
  rich.console.Console().print(table)


def check_judged(sweep: plan.Sweep, trials: list[record.Trial]) -> None:
  """Refuses a metric that no finished trial has.

  Args:
    sweep: what was compared.
    trials: of `record.trials`.

  Raises:
    InputError: there is none; the message names those that there are.
  """
  ended = [trial for trial in trials if trial.status == 'finished']
  if ended and all(trial.score is None for trial in ended):
    known = sorted({name for trial in ended for name in trial.others})
    raise InputError(
      f'--metric={sweep.metric}: no trial has it. They have'
      f' {", ".join(known)}. The same command with one of them trains nothing'
      ' again, but for --search and --stop_early.'
    )
