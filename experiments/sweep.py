r"""Trains a program many times, with other flags each time, and compares.

  python -m experiments.sweep --program=experiments.context_encoder \
    --flagfile=experiments/flags/imagenet64.flags --workdir=runs/weights \
    --grid=adversarial_weight=0,1e-4,1e-3 --grid=disc_lr=1e-4,4e-4 \
    --seeds=0,1,2 --trial_flags='--steps=2000 --val_data=photos:val'

Each combination is a run of its own in `trials/` of the workdir, as if started
by hand; several run at once, as many as there are cores or GPUs for. Or, to
search where to look:

  … --search=disc_lr=log:1e-5:1e-3 --search=beta1=lin:0:0.9 --trials=40

The same command goes on where it stopped; with more values, seeds or trials it
adds those. At the end there is a `report.html`. Exit code 4: some
trials failed; the others have finished.
"""

import pathlib
import shlex
import sys

from absl import flags

from experiments import program
from experiments.sweeps import plan

_PROGRAM = flags.DEFINE_string(
  'program', 'experiments.context_encoder', 'Module of the program to train.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir',
  None,
  'Folder of the sweep; trials have theirs in it.',
  required=True,
)
_GRID = flags.DEFINE_multi_string(
  'grid',
  [],
  'NAME=VALUE,VALUE…: a flag of the program, and what it is to be; all'
  ' combinations with other --grid. Divided by ; where values have commas.',
)
_SEARCH = flags.DEFINE_multi_string(
  'search',
  [],
  'NAME=log:LOW:HIGH, lin:…, int:… or NAME=choice:VALUE,VALUE: a flag that'
  ' Optuna chooses.',
)
_TRIALS = flags.DEFINE_integer(
  'trials', 20, 'Trials of a --search.', lower_bound=1
)
_SEEDS = flags.DEFINE_list(
  'seeds',
  [],
  "Seeds that each combination is trained with; none: the program's.",
)
_TRIAL_FLAGS = flags.DEFINE_multi_string(
  'trial_flags',
  [],
  'Flags of every trial, as in a shell. --flagfile is one of them too.',
)
_METRIC = flags.DEFINE_string(
  'metric', 'val/psnr_db', 'What decides, as it stands in metrics.jsonl.'
)
_MODE = flags.DEFINE_enum(
  'mode', 'max', ['max', 'min'], 'Whether more of --metric is better, or less.'
)
_STOP_EARLY = flags.DEFINE_bool(
  'stop_early',
  False,
  'End what is behind early (ASHA), and save it: two of three trials at'
  ' --grace, two of three of the others at three times as many steps…',
)
_GRACE = flags.DEFINE_integer(
  'grace',
  None,
  'Steps before which no trial is ended; default: a ninth of its steps.',
  lower_bound=1,
)
_RETRIES = flags.DEFINE_integer(
  'retries',
  0,
  'How often a trial that fails goes on from its checkpoint.',
  lower_bound=0,
)
_CPUS_PER_TRIAL = flags.DEFINE_integer(
  'cpus_per_trial', 1, 'Cores of a trial.', lower_bound=1
)
_GPUS_PER_TRIAL = flags.DEFINE_float(
  'gpus_per_trial',
  None,
  'GPUs of a trial, or its share of one; default: one if there are any.',
  lower_bound=0.0,
)
_CPUS = flags.DEFINE_integer(
  'cpus', None, "Cores to use; default: the machine's.", lower_bound=1
)
_GPUS = flags.DEFINE_integer(
  'gpus', None, "GPUs to use; default: the machine's.", lower_bound=0
)
_ADDRESS = flags.DEFINE_string(
  'address',
  None,
  'A Ray cluster that runs already, host:port or auto; the workdir is then on a'
  ' disk that all its machines see.',
)
_DRY_RUN = flags.DEFINE_bool(
  'dry_run', False, "Print the trials' commands, and run none."
)


_FIGURES = 'val/'  # What metrics of the validation images begin with.
# What is the sweep's to say, and nothing that a trial can be asked.
_OURS = ('workdir', 'restart', 'help', 'helpfull', 'helpshort')


def main():
  """Checks all, runs what has not finished, tells what came of it."""
  program.need('sweep', ['ray', 'optuna', 'plotly', 'jinja2'])
  from experiments.reports import page, sweeps
  from experiments.sweeps import record, running
  from inpaintax.errors import ItemsFailedError

  sweep = _asked()
  folder = pathlib.Path(_WORKDIR.value).absolute()
  before = record.load(folder)
  _check_same(sweep, before)
  steps = _check_flags(sweep)
  if _DRY_RUN.value:
    for assignment in _wanted(sweep):
      place = folder / 'trials' / plan.trial_name(assignment)
      words = plan.words(sweep.flags, assignment, place)
      print(shlex.join(['python', '-m', sweep.program, *words]))
    return
  asked = running.Asked(
    trials=_TRIALS.value if sweep.search else len(_wanted(sweep)),
    stop_early=_STOP_EARLY.value,
    grace=_GRACE.value or max(1, steps // 9),
    steps=steps,
    retries=_RETRIES.value,
  )
  running.run(sweep, folder, asked, _resources())
  trials = record.trials(folder, sweep)
  running.show(sweep, trials)
  report = folder / 'report.html'
  page.write(report, page.render('sweep.html', sweeps.content(folder, sweep)))
  print(f'The page: {report}', flush=True)
  running.check_judged(sweep, trials)
  failed = [trial.name for trial in trials if trial.status == 'failed']
  if failed:
    some = ' '.join([*failed[:5], *['…'][: len(failed) > 5]])
    place = shlex.quote(str(folder))
    raise ItemsFailedError(
      f'{len(failed)} of {len(trials)} trials failed: {some}. What they said'
      f' last: {place}/trials/*/log.txt. The same command tries them again.'
    )


def _asked():
  """The sweep that the flags ask for."""
  from inpaintax.errors import InputError

  grid, search = plan.parse_grid(_GRID.value), plan.parse_search(_SEARCH.value)
  seeds = plan.parse_seeds(_SEEDS.value)
  if grid and search:
    raise InputError(
      '--grid and --search: use one; --search=NAME=choice:… chooses from a'
      ' list.'
    )
  if not grid and not search and not seeds:
    raise InputError('nothing to compare: give --grid, --search or --seeds.')
  if search:
    if len(seeds) > 1:
      raise InputError(
        '--seeds: a --search has one. Compare what it finds best with --grid'
        ' and several.'
      )
  else:
    program.refuse(['trials'], 'without --search')
  if not _STOP_EARLY.value:
    program.refuse(['grace'], 'without --stop_early')
  if 'seed' in [*grid, *search]:
    raise InputError('seed: use --seeds=0,1,2.')
  return plan.Sweep(
    program=_PROGRAM.value,
    flags=_words(),
    grid=grid,
    search=search,
    seeds=seeds,
    metric=_METRIC.value,
    mode=_MODE.value,
  )


def _words():
  """The flags of every trial."""
  from inpaintax.errors import InputError

  try:
    words = [word for text in _TRIAL_FLAGS.value for word in shlex.split(text)]
  except ValueError as error:
    raise InputError(f'--trial_flags: {error}.') from error
  for word in words:
    name = word.lstrip('-').partition('=')[0]
    if name in _OURS or not word.startswith('-'):
      raise InputError(f'--trial_flags: {word} is not for trials.')
  return words


def _check_same(sweep, before):
  """Refuses to mix what cannot be compared."""
  from inpaintax.errors import InputError

  if before is None:
    return
  judged = [
    ('--metric', [before.metric], [sweep.metric]),
    ('--mode', [before.mode], [sweep.mode]),
  ]
  # Those of a grid do not depend on what they are judged by.
  for name, old, new in (
    *(judged if sweep.search or _STOP_EARLY.value else []),
    ('--program', [before.program], [sweep.program]),
    ('--trial_flags', before.flags, sweep.flags),
    ('--grid', sorted(before.grid), sorted(sweep.grid)),
    ('--search', sorted(before.search), sorted(sweep.search)),
  ):
    if old != new:
      gone = [x for x in old if x not in new] or ['nothing else']
      come = [x for x in new if x not in old] or ['nothing else']
      raise InputError(
        f'--workdir={_WORKDIR.value} has a sweep with another {name}: there'
        f' {shlex.join(gone)}, now {shlex.join(come)}. Give another --workdir.'
      )


def _wanted(sweep):
  """The trials to run; of a search, its corners, to check and to show."""
  if not sweep.search:
    return plan.combinations(sweep.grid, sweep.seeds)
  ends = {name: [str(x) for x in r.values] for name, r in sweep.search.items()}
  return plan.combinations(ends, sweep.seeds)


def _check_flags(sweep):
  """Refuses what the program would; says how many steps a trial has."""
  from experiments.sweeps import resolve
  from inpaintax.errors import InputError

  lines = [plan.words(sweep.flags, one, 'trial') for one in _wanted(sweep)]
  found = resolve.resolve(sweep.program, lines)
  known: dict[str, str] = {}
  for line, one in zip(lines, found, strict=True):
    if 'error' in one:
      raise InputError(
        f'{sweep.program} {shlex.join(line[:-1])}: {one["error"]}'
      )
    meant = one['flags']
    if 'steps' not in meant:
      raise InputError(f'--program={sweep.program} trains nothing.')
    own = shlex.join(line[len(sweep.flags) : -1])
    same = known.setdefault(str(meant), own)
    if same != own:
      raise InputError(f'two trials would be the same: {same} and {own}.')
    if sweep.metric.startswith(_FIGURES) and 'val_data' not in meant:
      raise InputError(
        f'--metric={sweep.metric} is measured on validation images: add'
        " --trial_flags='--val_data=…'."
      )
  return max(int(one['flags']['steps']) for one in found)


def _resources():
  """What trials may use."""
  from experiments.sweeps import engine

  if _ADDRESS.value:
    program.refuse(['cpus', 'gpus'], 'with --address')
  return engine.Resources(
    cpus_per_trial=_CPUS_PER_TRIAL.value,
    gpus_per_trial=_GPUS_PER_TRIAL.value,
    cpus=_CPUS.value,
    gpus=_GPUS.value,
    address=_ADDRESS.value,
  )


if __name__ == '__main__':
  sys.argv[1:] = plan.to_trials(sys.argv[1:])
  program.run(main)
