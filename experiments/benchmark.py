"""Measures speed: against PyTorch, and against what this machine can do.

  python -m experiments.benchmark --suite=train_step --output=runs/benchmark

What is compared runs in turns, A B A B, and ratios are taken turn by turn:
another job on the machine slows both. Each suite also measures the machine's
own ceilings, in the same turns where operations are counted: large products in
float32 and bfloat16, and a large copy. Shows a table and writes `<suite>.json`
into --output. We and PyTorch have a process each, and on a CPU two tables: with
PyTorch as it comes, and with its memory kept as our programs keep theirs.

Suites: `train_step`, an alternating update of two networks, images per second;
`ssda_train`, fine-tuning on patches drawn on the fly; `denoise`, whole images,
megapixels per second; `input`, how long training waits for images; `startup`,
from the command to the first step; `scaling`, over virtual devices of one CPU;
`growth`, an update's cost by batch, image size and block size. Each takes
minutes, and all of `train_step` half an hour; fewer --rounds and --cases less.
The first two need PyTorch: `pip install -c constraints.txt -e '.[bench]'`.
"""

import importlib.util
import json
import os
import pathlib
import sys
from importlib import metadata

from absl import flags

from experiments import program, sessions

SUITES = (
  'train_step',
  'ssda_train',
  'denoise',
  'input',
  'startup',
  'scaling',
  'growth',
)
_NEED_TORCH = ('train_step', 'ssda_train')

_SUITE = flags.DEFINE_enum('suite', 'train_step', SUITES, 'What to measure.')
_ROUNDS = flags.DEFINE_integer(
  'rounds', 7, 'Turns of every side.', lower_bound=1
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'Folder to write the results into; none: only show them.'
)
_CASES = flags.DEFINE_list(
  'cases',
  None,
  'Only cases whose names, shown above the tables, contain one of these; none:'
  ' all.',
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Trained denoiser, for --suite=denoise.'
)


def main():
  """Measures, shows, writes."""
  from inpaintax.errors import InputError

  suite = _SUITE.value
  if suite in _NEED_TORCH and importlib.util.find_spec('torch') is None:
    raise InputError(
      f'--suite={suite} needs PyTorch: pip install -c constraints.txt'
      " -e '.[bench]'."
    )
  if suite == 'denoise' and _WORKDIR.value is None:
    raise InputError(
      '--suite=denoise needs --workdir: of a denoiser of Gaussian noise, which'
      ' experiments.ssda trains.'
    )
  if suite != 'denoise':
    program.refuse(['workdir'], f'with --suite={suite}')
  if suite in _NEED_TORCH:
    # JAX takes most of a GPU's memory at its start, and PyTorch's is the same.
    os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  if _OUTPUT.value is not None:
    pathlib.Path(_OUTPUT.value).mkdir(parents=True, exist_ok=True)
  found = []
  names: list[str] = []
  for case in _cases(suite, names):
    found.append(case)
    _show(case)
    _write(suite, found)
  unknown = [
    part
    for part in _CASES.value or []
    if not any(part in name for name in names)
  ]
  if unknown:
    raise InputError(
      f'--cases={",".join(unknown)}: no case of --suite={suite} is called so.'
      f' Its cases: {", ".join(names)}.'
    )
  if suite not in _NEED_TORCH:  # They have the ceilings in their turns.
    found.append(_machine(_ROUNDS.value))
    _show(found[-1])
    _write(suite, found)


def _cases(suite, names):
  """What the suite measures, one after the other; collects all names."""
  rounds = _ROUNDS.value

  def wanted(name):
    names.append(name)
    return not _CASES.value or any(part in name for part in _CASES.value)

  if suite == 'train_step':
    from experiments.benchmarks import train_step

    return train_step.cases(rounds, wanted)
  if suite == 'ssda_train':
    from experiments.benchmarks import ssda_train

    return ssda_train.cases(rounds, wanted)
  if suite == 'denoise':
    from experiments.benchmarks import denoise

    return denoise.cases(rounds, wanted, workdir=_WORKDIR.value)
  if suite == 'input':
    from experiments.benchmarks import inputs

    return inputs.cases(rounds, wanted)
  if suite == 'startup':
    from experiments.benchmarks import startup

    return startup.cases(rounds, wanted)
  if suite == 'growth':
    from experiments.benchmarks import growth

    return growth.cases(rounds, wanted)
  from experiments.benchmarks import scaling

  return scaling.cases(rounds, wanted)


def _machine(rounds):
  """The machine's ceilings, as a case. Last: it starts JAX's devices."""
  from experiments.benchmarks import timing

  sides = timing.ceilings()
  seconds = timing.interleaved(sides, rounds=rounds)
  rows = timing.rows(sides, seconds, ours=sides[0].name)
  return {'case': 'this machine', 'unit': '', 'rows': rows}


def _show(case):
  """A case's table, and what else was found."""
  import rich.console
  import rich.table

  rows = case['rows']
  columns = [name for name in _COLUMNS if any(name in row for row in rows)]
  table = rich.table.Table(title=case['case'], title_justify='left')
  for name in columns:
    heading = _COLUMNS[name][0].format(unit=case['unit'])
    table.add_column(heading, justify='left' if name == 'name' else 'right')
  for row in rows:
    table.add_row(
      *(
        format(row[name], _COLUMNS[name][1]) if name in row else '–'
        for name in columns
      )
    )
  console = rich.console.Console()
  console.width = max(console.width, 100)
  console.print(table)
  for name, value in case.items():
    if name not in ('case', 'unit', 'rows'):
      print(f'{name}: {value}')


_COLUMNS = {
  'name': ('', ''),
  'median_s': ('s a turn', '.4g'),
  'per_second': ('{unit}/s', ',.4g'),
  'gflops_per_s': ('GFLOP/s', '.0f'),
  'of_float32_product': ('of the product', '.0%'),
  'of_bfloat16_product': ("of bfloat16's", '.0%'),
  'times_ours': ('times ours', '.2f'),
  'psnr_db': ('PSNR dB', '.2f'),
  'waiting': ('waiting', '.1%'),
  'compile_s': ('compile s', '.1f'),
  'exchanged_mib': ('MiB exchanged', '.1f'),
}


def _write(suite, found):
  """`<suite>.json`, after each case."""
  import jax

  from inpaintax import atomic

  if _OUTPUT.value is None:
    return
  about = {
    'suite': suite,
    'command': ['python', '-m', 'experiments.benchmark', *sys.argv[1:]],
    'device': jax.devices()[0].device_kind,
    'machine': sessions.processor(),
    'versions': {
      name: metadata.version(name)
      for name in ('inpaintax', 'jax', 'jaxlib', 'flax', 'optax', 'torch')
      if importlib.util.find_spec(name)
    },
    'cases': found,
  }
  path = pathlib.Path(_OUTPUT.value) / f'{suite}.json'
  atomic.write_text(path, json.dumps(about, indent=2) + '\n')


if __name__ == '__main__':
  program.run(main)
