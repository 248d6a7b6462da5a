"""The same batch over 1, 2, 4 and 8 devices, virtual ones of a CPU.

Those share its cores: there the time tells what sharing a batch costs, not what
it gains.
"""

import math
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from experiments.benchmarks import timing, train_step

_COUNTS = (1, 2, 4, 8)
_FLAG = '--xla_force_host_platform_device_count'
# `f32[64,3]{1,0} all-reduce(`, or several such in parentheses.
_EXCHANGE = re.compile(
  r'= (\(?[a-z].*?) (?:all-reduce|all-gather)(?:-start)?\('
)
_ARRAY = re.compile(r'\b(pred|bf16|[fsu]\d+)\[([\d,]*)\]')


def cases(
  rounds: int, wanted: Callable[[str], bool]
) -> Iterator[dict[str, Any]]:
  """Measures jit over a mesh, and pmap.

  Args:
    rounds: turns.
    wanted: whether a case of that name is.

  Yields:
    Plain JSON: `case`, `unit`, `rows` of `timing.rows`, with the seconds of
    compilation and what one device sends and receives for an update, MiB.
  """
  # Read when JAX starts its devices, of no effect on a GPU.
  given = os.environ.get('XLA_FLAGS', '')
  if _FLAG not in given:
    os.environ['XLA_FLAGS'] = f'{given} {_FLAG}={max(_COUNTS)}'.strip()
  import jax

  from inpaintax.steps import compile as compiling

  # What it takes to compile, not to read what an earlier run compiled.
  jax.config.update('jax_enable_compilation_cache', False)
  name = 'imagenet64 batch 64'
  if not wanted(name):
    return
  case = train_step.CASES[-1]
  sides, details = [], {}
  for count in (n for n in _COUNTS if n <= jax.local_device_count()):
    for way, axis_name in (('jit', None), ('pmap', compiling.AXIS)):
      side = f'{way}, {count} devices' if count > 1 else f'{way}, 1 device'
      run, details[side] = _built(case, axis_name, count)
      sides.append(timing.Side(side, run, case.batch))
  seconds = timing.interleaved(sides, rounds=rounds, warmups=1)
  rows = timing.rows(sides, seconds, ours='jit, 1 device')
  yield {
    'case': name,
    'unit': 'images',
    'rows': [row | details[row['name']] for row in rows],
  }


def _built(case, axis_name, count):
  """(makes an update, what compiling it took and what it exchanges)."""
  import jax

  compiled, state = train_step.compiled_step(
    case, axis_name=axis_name, devices=count
  )
  images = compiled.place(train_step.batch(case))
  held = [compiled.place_state(state)]
  lowered = compiled.lower(held[0], train_step.batch(case))
  start = time.perf_counter()
  text = lowered.compile().as_text()
  taken = time.perf_counter() - start

  def run():
    held[0], _ = compiled.step(held[0], images)
    jax.block_until_ready(held[0])

  details = {'compile_s': taken, 'exchanged_mib': exchanged(text) / 2**20}
  return run, details


def exchanged(text: str) -> int:
  """Bytes of what devices sum or gather.

  Args:
    text: a compiled program, as XLA prints it.

  Returns:
    The size of all results of such operations.
  """
  total = 0
  for found in _EXCHANGE.finditer(text):
    for kind, shape in _ARRAY.findall(found[1]):
      bits = 8 if kind == 'pred' else int(re.sub(r'\D', '', kind))
      sides = [int(n) for n in shape.split(',') if n]
      total += math.prod(sides) * bits // 8
  return total
