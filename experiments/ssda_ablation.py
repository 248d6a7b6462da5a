r"""What makes a stacked denoising auto-encoder work: one choice at a time.

  python -m experiments.ssda_ablation --data=folder:DIR[:380] \
    --val_data=folder:DIR[380:] --output=runs/ablation

Trains a setting that works, and others that differ from it in one choice each,
with several seeds; and the paper taken at its word where it says nothing more.
Networks of another size get as many updates as take the same time. Writes
`results.md` and `results.json` into --output; the runs lie there too, and what
is finished is not trained again.
"""

import json
import pathlib
import statistics
import subprocess
import sys
from typing import NamedTuple

from absl import flags

from experiments import program

_DATA = flags.DEFINE_string(
  'data', 'photos:train', 'Training photographs, as for experiments.ssda.'
)
_VAL_DATA = flags.DEFINE_string(
  'val_data', 'photos:val', 'Photographs to measure on.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'Folder for runs and results.', required=True
)
_SEEDS = flags.DEFINE_integer(
  'seeds', 3, 'Runs of each setting, from seed 0 on.', lower_bound=1
)
_STEPS = flags.DEFINE_integer(
  'steps', 6000, 'Updates of the setting that works.', lower_bound=300
)
_ONLY = flags.DEFINE_list('only', None, 'Train only these; none: all.')

# Nine pixels wide and five times as many hidden units: a minute on two cores.
_WORKING = (
  '--sigma=25',
  '--side=9',
  '--factor=5',
  '--depth=2',
  '--lr=2e-3',
  '--batch_size=256',
  '--beta=1e-3',
  '--weight_decay=1e-6',
  '--updates_per_call=50',
)
_RANGE = ('--gain=0.4', '--code_center=0.5')
_STRIDE = 2


class _Variant(NamedTuple):
  """A setting: what differs from the one that works.

  Attributes:
    about: for the table.
    flags: of the training.
    share: of the updates, so that all take about the same time.
    stride: at which it is measured.
  """

  about: str
  flags: tuple[str, ...] = ()
  share: float = 1.0
  stride: int = _STRIDE


_VARIANTS = {
  'working': _Variant('the setting that works'),
  'random_start': _Variant('no pre-training', ('--pretrain=0',)),
  'no_sparsity': _Variant('no sparsity term, beta 0', ('--beta=0',)),
  'beta': _Variant("the paper's beta, 0.01", ('--beta=1e-2',)),
  'lambda': _Variant("the paper's lambda, 0.0001", ('--weight_decay=1e-4',)),
  'mean_removed': _Variant("without the patch's mean", ('--nokeep_mean',)),
  'range': _Variant('pixels in [0.1, 0.9]', _RANGE),
  'sigmoid_output': _Variant(
    'pixels in [0.1, 0.9], sigmoid output', (*_RANGE, '--output_unit=sigmoid')
  ),
  'grey_levels': _Variant(
    "the paper's beta and lambda, errors in grey levels",
    ('--beta=1e-2', '--weight_decay=1e-4', '--error_scale=51'),
  ),
  'relu': _Variant(
    'rectified units, neither pre-training nor sparsity',
    ('--hidden_unit=relu', '--pretrain=0', '--beta=0'),
  ),
  'lbfgs': _Variant(
    'L-BFGS, 25 iterations on each 2,000 patches',
    ('--optimizer=lbfgs', '--batch_size=2000', '--updates_per_call=25'),
    0.1,
  ),
  'one_layer': _Variant('one auto-encoder', ('--depth=1',), 2.5),
  'narrow': _Variant('twice the pixels', ('--factor=2',), 2.0),
  'wide': _Variant('ten times the pixels', ('--factor=10',), 0.35),
  'patches_5k': _Variant('5,000 patches in all', ('--patches=5000',)),
  'patches_50k': _Variant('50,000 patches in all', ('--patches=50000',)),
  'patches_500k': _Variant('500,000 patches in all', ('--patches=500000',)),
  'stride_4': _Variant('every fourth pixel a patch', stride=4),
  'side_by_side': _Variant('patches side by side', stride=9),
  'naive': _Variant(
    "the naive reading: sigmoid output, [0.1, 0.9], the paper's beta and"
    ' lambda, 5,000 patches, side by side',
    (
      *_RANGE,
      '--output_unit=sigmoid',
      '--beta=1e-2',
      '--weight_decay=1e-4',
      '--patches=5000',
    ),
    stride=9,
  ),
}


def main():
  """Trains, measures, writes the table."""
  from inpaintax.errors import InputError

  names = _ONLY.value or list(_VARIANTS)
  unknown = sorted(set(names) - set(_VARIANTS))
  if unknown:
    raise InputError(
      f'--only: not known: {", ".join(unknown)}; there are'
      f' {", ".join(_VARIANTS)}.'
    )
  folder = pathlib.Path(_OUTPUT.value)
  _check_settings(folder)
  found = {name: [] for name in names}
  for seed in range(_SEEDS.value):
    for name in names:
      variant = _VARIANTS[name]
      # Settings that are measured in another way are not trained again.
      run = folder / f'seed_{seed}' / (name if variant.flags else 'working')
      output = run / f'stride_{variant.stride}'
      if not (output / 'results.json').exists():
        _train(run, variant, seed)
        _measure(run, variant.stride, output)
      found[name].append(_psnr(output))
      print(f'{run}: {found[name][-1]:.2f} dB', flush=True)
  _report(folder, found)


def _check_settings(folder):
  """Refuses to go on with runs that were made from something else."""
  from inpaintax.errors import InputError

  settings = {
    'data': _DATA.value,
    'val_data': _VAL_DATA.value,
    'steps': _STEPS.value,
  }
  path = folder / 'settings.json'
  if path.exists():
    old = json.loads(path.read_text())
    if old != settings:
      raise InputError(
        f'--output={folder} holds runs of other settings ({old}): give another.'
      )
  folder.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(settings))


def _train(run, variant, seed):
  steps = 50 * round(_STEPS.value * variant.share / 50)
  _run(
    'ssda',
    *_WORKING,
    *variant.flags,
    f'--seed={seed}',
    f'--steps={steps}',
    f'--log_every={steps}',
    f'--checkpoint_every={steps}',
    f'--data={_DATA.value}',
    f'--workdir={run}',
  )


def _measure(run, stride, output):
  _run(
    'evaluate',
    f'--workdir={run}',
    '--noise=gaussian',
    '--sigma=25',
    f'--stride={stride}',
    '--baselines=',
    f'--data={_VAL_DATA.value}',
    f'--output={output}',
  )


def _psnr(output):
  """The model's mean, dB."""
  rows = json.loads((output / 'results.json').read_text())['rows']
  return rows[1]['psnr_db']


def _run(name, *args):
  """One program; its errors are ours."""
  from inpaintax.errors import InputError

  command = [sys.executable, '-m', f'experiments.{name}', *args]
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  if done.returncode:
    last = (done.stderr.strip().splitlines() or ['no message'])[-1]
    raise InputError(f'experiments.{name} {" ".join(args)} failed: {last}')


def _report(folder, found):
  """The table, by PSNR, with 95 % intervals; differences are paired by seed."""
  base = found.get('working')
  rows = []
  for name, values in found.items():
    row = {
      'setting': name,
      'about': _VARIANTS[name].about,
      'flags': ' '.join(_VARIANTS[name].flags),
      'stride': _VARIANTS[name].stride,
      'psnr_db': values,
      'mean': statistics.fmean(values),
      'ci95': _half_width(values),
    }
    if base:
      apart = [a - b for a, b in zip(values, base, strict=True)]
      row['difference'] = statistics.fmean(apart)
      row['difference_ci95'] = _half_width(apart)
    rows.append(row)
  text = json.dumps({'data': _VAL_DATA.value, 'rows': rows}, indent=2)
  (folder / 'results.json').write_text(text + '\n')
  lines = [
    f'| setting | PSNR dB, mean of {len(rows[0]["psnr_db"])} seeds | ± |'
    ' difference | ± |',
    '| --- | ---: | ---: | ---: | ---: |',
  ]
  either = lambda value, form: '–' if value is None else format(value, form)
  for row in sorted(rows, key=lambda row: -row['mean']):
    lines.append(
      f'| {row["about"]} | {row["mean"]:.2f} | {either(row["ci95"], ".2f")}'
      f' | {either(row.get("difference"), "+.2f")}'
      f' | {either(row.get("difference_ci95"), ".2f")} |'
    )
  table = '\n'.join(lines) + '\n'
  (folder / 'results.md').write_text(table)
  print(table)


def _half_width(values):
  """Of Student's 95 % interval of the mean; None of one value."""
  from scipy import stats

  if len(values) < 2:
    return None
  sem = statistics.stdev(values) / len(values) ** 0.5
  return float(stats.t.ppf(0.975, len(values) - 1)) * sem


if __name__ == '__main__':
  program.run(main)
