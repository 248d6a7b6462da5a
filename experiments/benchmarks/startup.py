"""From the command to the end of the first step, and what importing takes."""

import functools
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from experiments.benchmarks import timing

_FLAGS = pathlib.Path(__file__).parents[1] / 'flags' / 'imagenet64.flags'
# Asks JAX what importing us has made it start.
_IMPORT = """
import inpaintax
from jax._src import xla_bridge
assert not xla_bridge._backends, 'importing inpaintax starts a device'
"""


def cases(
  rounds: int, wanted: Callable[[str], bool]
) -> Iterator[dict[str, Any]]:
  """Measures processes.

  Args:
    rounds: turns.
    wanted: whether a case of that name is.

  Yields:
    Plain JSON: `case`, `unit`, `rows` of `timing.rows`.

  Raises:
    RuntimeError: a process fails.
  """
  if wanted('import'):
    sides = [
      timing.Side('python alone', functools.partial(_python, '-c', ''), 1),
      timing.Side(
        'import jax', functools.partial(_python, '-c', 'import jax'), 1
      ),
      timing.Side(
        'import inpaintax', functools.partial(_python, '-c', _IMPORT), 1
      ),
    ]
    seconds = timing.interleaved(sides, rounds=rounds, warmups=1)
    rows = timing.rows(sides, seconds, ours='import inpaintax')
    yield {'case': 'import', 'unit': 'processes', 'rows': rows}
  if wanted('first step of imagenet64'):
    with tempfile.TemporaryDirectory() as folder:
      kept = os.path.join(folder, 'kept')
      sides = [
        timing.Side(
          'cold compilation cache', functools.partial(_first_step, None), 1
        ),
        timing.Side(
          'warm compilation cache', functools.partial(_first_step, kept), 1
        ),
      ]
      _first_step(kept)
      seconds = timing.interleaved(sides, rounds=rounds, warmups=0)
    rows = timing.rows(sides, seconds, ours='warm compilation cache')
    yield {'case': 'first step of imagenet64', 'unit': 'runs', 'rows': rows}


def _python(*args):
  subprocess.run([sys.executable, *args], check=True)


def _first_step(cache):
  """Seconds from the command until it tells of the first step."""
  with tempfile.TemporaryDirectory() as folder:
    command = [
      *(sys.executable, '-m', 'experiments.context_encoder'),
      *(f'--flagfile={_FLAGS}', '--steps=1', '--log_every=1'),
      f'--workdir={folder}/run',
    ]
    environment = os.environ | {
      'JAX_COMPILATION_CACHE_DIR': cache or f'{folder}/cache'
    }
    start = time.perf_counter()
    with subprocess.Popen(
      command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
      taken = None
      for line in process.stdout:
        if taken is None and line.startswith('step 1/1'):
          taken = time.perf_counter() - start
    if process.returncode or taken is None:
      raise RuntimeError(f'{" ".join(command)} failed.')
  return taken
