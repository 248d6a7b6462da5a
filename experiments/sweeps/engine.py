"""Has Ray Tune run trials: it knows which machine and which GPU is free.

What each trial has come to is read from its folder, never from Ray: of a sweep
that was killed, nothing is lost that its trials have saved.
"""

import contextlib
import logging
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from experiments import interruption
from experiments.sweeps import plan

_ENVIRONMENT = {
  'RAY_USAGE_STATS_ENABLED': '0',
  # Else a worker that is ended kills what it has started, which then saves
  # nothing.
  'RAY_kill_child_processes_on_worker_exit': '0',
  # Without its own tables.
  'RAY_AIR_NEW_OUTPUT': '0',
  # Else trials yield to all other work on the machine.
  'RAY_worker_niceness': '0',
  # It would replace ours, which end the trials properly.
  'TUNE_DISABLE_SIGINT_HANDLER': '1',
  'TUNE_DISABLE_AUTO_CALLBACK_LOGGERS': '1',
  # A trial without a look at validation images has no metric.
  'TUNE_DISABLE_STRICT_METRIC_CHECKING': '1',
  # Else trials that need nothing but CPUs are told that there are GPUs.
  'RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO': '1',
}
_OBJECT_STORE = 80 * 2**20  # Nothing but flags goes through it.


class Resources(NamedTuple):
  """What there is, and what a trial has.

  Attributes:
    cpus_per_trial: cores.
    gpus_per_trial: GPUs, or a share of one.
    cpus: cores in all; None: all of the machine's.
    gpus: likewise.
    address: of a Ray cluster; None: this machine alone.
  """

  cpus_per_trial: int
  gpus_per_trial: float | None
  cpus: int | None
  gpus: int | None
  address: str | None


@contextlib.contextmanager
def running(resources: Resources) -> Iterator[Resources]:
  """Ray, started or joined, and left again.

  Args:
    resources: what to use.

  Yields:
    The same, all that was None found out.

  Raises:
    InputError: no trial could ever run with these.
  """
  os.environ.update(_ENVIRONMENT)
  import ray

  share = resources.gpus_per_trial
  if share and share < 1:
    # JAX would take three quarters of the GPU for itself.
    os.environ.setdefault(
      'XLA_PYTHON_CLIENT_MEM_FRACTION', f'{0.9 * share:.2f}'
    )
  logging.getLogger('ray.tune').setLevel(logging.CRITICAL)
  quiet: dict[str, Any] = {'log_to_driver': False, 'logging_level': 'error'}
  # Short: names of sockets in it have a hundred letters at most.
  temporary = tempfile.mkdtemp(prefix='ray', dir='/tmp')
  try:
    if resources.address:
      ray.init(resources.address, **quiet)
    else:
      ray.init(
        num_cpus=resources.cpus or len(os.sched_getaffinity(0)),
        num_gpus=resources.gpus,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE,
        _temp_dir=temporary,
        **quiet,
      )
    interruption.take_signals()  # Ray has taken SIGTERM.
    yield _complete(resources, ray.cluster_resources())
  finally:
    ray.shutdown()
    shutil.rmtree(temporary, ignore_errors=True)


def _complete(resources, found):
  """What a trial has, if it was not said; refuses what there is not."""
  from inpaintax.errors import InputError

  cpus, gpus = found.get('CPU', 0), found.get('GPU', 0)
  wanted = resources.gpus_per_trial
  if wanted is None:
    wanted = 1.0 if gpus else 0.0
  if resources.cpus_per_trial > cpus or wanted > gpus:
    raise InputError(
      f'a trial is to have {resources.cpus_per_trial} CPUs and {wanted:g} GPUs'
      f' (--cpus_per_trial, --gpus_per_trial), and there are {cpus:g} and'
      f' {gpus:g}.'
    )
  return resources._replace(
    gpus_per_trial=wanted, cpus=int(cpus), gpus=int(gpus)
  )


def run(
  space: dict[str, Any],
  searcher: Any,
  *,
  trials: int,
  scheduler: Any,
  metric: str,
  mode: str,
  retries: int,
  resources: Resources,
  scratch: pathlib.Path,
  ended: Callable[[], None],
  **options: Any,
) -> None:
  """Runs trials until all have ended. Ray is running.

  Args:
    space: flags, or what they are chosen from; of `grid` or `optuna`.
    searcher: of Tune; it chooses the flags; None with a grid.
    trials: how many it may choose; 1 with a grid.
    scheduler: of Tune, that ends trials early; or None.
    metric: in metrics.jsonl, by which searcher and scheduler judge.
    mode: `max` or `min`: which is better.
    retries: how often a trial that fails is begun again.
    resources: of `running`.
    scratch: folder for Tune, on a disk that all machines see.
    ended: called after each trial.
    **options: of `trial.Options`, the others.
  """
  from ray import tune

  from experiments.sweeps.trial import EndedError, Options, Trial

  class Teller(tune.Callback):
    """Tells when a trial has come to its end."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
      ended()

    def on_trial_error(self, *_: Any, **__: Any) -> None:
      ended()

  gpus = resources.gpus_per_trial or 0.0
  # What works on a GPU has little to do on the cores.
  cpus = 0 if gpus else resources.cpus_per_trial
  trainable = tune.with_resources(
    Trial, {'cpu': resources.cpus_per_trial, 'gpu': gpus}
  )
  common = Options(metric=metric, cpus=cpus, gpus=gpus, **options)
  space |= {'options': common._asdict()}  # Tune makes a plain tuple of it.
  shutil.rmtree(scratch, ignore_errors=True)
  tuner = tune.Tuner(
    trainable,
    param_space=space,
    tune_config=tune.TuneConfig(
      metric=metric,
      mode=mode,
      search_alg=searcher,
      scheduler=scheduler,
      num_samples=trials,
      # Starting an actor takes seconds.
      reuse_actors=True,
    ),
    run_config=tune.RunConfig(
      name='tune',
      storage_path=str(scratch),
      verbose=0,
      callbacks=[Teller()],
      failure_config=tune.FailureConfig(max_failures=retries),
    ),
  )
  try:
    results = tuner.fit()
  except SystemError as error:
    # A signal, as it comes out of Ray's C code.
    if isinstance(error.__cause__, interruption.Interrupted):
      raise error.__cause__ from None
    raise
  finally:
    shutil.rmtree(scratch, ignore_errors=True)
  # What a program ends with stands in its folder; all else is a fault of ours.
  ours = [x for x in results.errors if EndedError.__name__ not in str(x)]
  if ours:
    raise RuntimeError(str(ours[0]).strip().splitlines()[-1])


def halving(*, steps: int, grace: int) -> Any:
  """Ends the worse two thirds of the trials, at ever later steps.

  Args:
    steps: of a whole trial.
    grace: before which none is ended.

  Returns:
    A scheduler of Tune.

  Source: Li et al. 2020, "A system for massively parallel hyperparameter
  tuning" (ASHA), arXiv:1810.05934.
  """
  from ray.tune.schedulers import ASHAScheduler

  # It would end a trial at max_t, before its last checkpoint is complete.
  return ASHAScheduler(
    time_attr='step', max_t=steps + 1, grace_period=grace, reduction_factor=3
  )


def grid(assignments: Sequence[dict[str, str]]) -> dict[str, Any]:
  """Every one of these, once.

  Args:
    assignments: flags of each trial.

  Returns:
    A space of Tune.
  """
  from ray import tune

  return {'trial': tune.grid_search(list(assignments))}


def optuna(
  ranges: dict[str, plan.Range], known: Sequence[dict[str, str]], *, seed: int
) -> tuple[dict[str, Any], Any]:
  """Chooses values by what others have led to.

  Args:
    ranges: of each flag.
    known: the flags of trials that were begun before: they come first.
    seed: of its choices.

  Returns:
    A space of Tune, and its searcher: Optuna's, with a tree of Parzen
    estimators.

  Source: Akiba et al. 2019, "Optuna", arXiv:1907.10902; Bergstra et al. 2011,
  "Algorithms for hyper-parameter optimization".
  """
  import optuna as library
  from ray import tune
  from ray.tune.search.optuna import OptunaSearch

  library.logging.set_verbosity(library.logging.WARNING)

  make: dict[str, Any] = {
    'lin': tune.uniform,
    'log': tune.loguniform,
    # Its upper end is not included.
    'int': lambda low, high: tune.randint(low, high + 1),
    'choice': lambda *texts: tune.choice(list(texts)),
  }
  parse = {'lin': float, 'log': float, 'int': int, 'choice': str}
  space = {name: make[kind](*values) for name, (kind, values) in ranges.items()}
  points = [
    {name: parse[kind](one[name]) for name, (kind, _) in ranges.items()}
    for one in known
  ]
  # Another seed after each start: it would propose what it has proposed.
  return space, OptunaSearch(
    points_to_evaluate=points or None, seed=seed + len(points)
  )
