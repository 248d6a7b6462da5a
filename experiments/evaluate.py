r"""Compares trained models and classical methods: a table, and a picture grid.

  python -m experiments.evaluate --workdir=runs/quickstart --data=photos:val \
    --mask=center --baselines=mean,telea,ns,biharmonic \
    --output=runs/quickstart/evaluation

Writes `results.json`, `results.md`, `per_image.csv` and `grid.png` into
--output. --workdir may be given several times, for models of one size; then
each row is called after the last part of its workdir, a single one `model`.
Without a --workdir, --size and --hole say what to measure the baselines on.

  python -m experiments.evaluate --workdir=runs/ssda --data=photos:val \
    --noise=gaussian --sigma=25 --baselines=nlm,wavelet,tv,median \
    --output=runs/ssda/evaluation

measures denoisers, on whole grey images. The figures: `inpaintax.evaluate`.
"""

import functools
import json
import pathlib
import shlex
import sys
from typing import Any

from absl import flags

from experiments import files, filling, noise, profiling, program, sessions

_WORKDIR = flags.DEFINE_multi_string(
  'workdir', [], 'Workdir of a trained model; may be given several times.'
)
_DATA = flags.DEFINE_string(
  'data',
  'photos:val',
  'Photographs: photos, folder:DIR, tar:GLOB or tfds:NAME:SPLIT, with a slice'
  ' if wanted: folder:DIR[500:].',
)
_BASELINES = flags.DEFINE_list(
  'baselines',
  None,
  'Classical methods to compare with; may be empty. Default: all there are, for'
  ' holes mean,telea,ns,biharmonic, for noise nlm,wavelet,tv,median, for text'
  ' median,telea,biharmonic.',
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'Folder to write the results into.', required=True
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite', False, 'Replace the results of another evaluation.'
)
_JPEG = flags.DEFINE_integer(
  'jpeg',
  None,
  'Quality of the JPEGs that images with text were saved as; none: they'
  ' were not.',
  lower_bound=1,
  upper_bound=100,
)
_SEED = flags.DEFINE_integer(
  'seed',
  0,
  'Root of masks and intervals.',
  lower_bound=0,
  upper_bound=2**32 - 1,
)
_LIMIT = flags.DEFINE_integer(
  'limit', None, 'Measure only the first so many images.', lower_bound=1
)
_GRID_IMAGES = flags.DEFINE_integer(
  'grid_images', 8, 'Images in the grid.', lower_bound=1
)

# What the figures depend on beside the project's own code.
_VERSIONS = (
  'inpaintax',
  'jax',
  'flax',
  'numpy',
  'opencv-python-headless',
  'scikit-image',
)


def main():
  """Checks the flags, loads what is to be compared, measures, reports."""
  from inpaintax.data import sources
  from inpaintax.errors import InputError
  from inpaintax.evaluate import reports

  if noise.NOISE.value:
    program.refuse(
      ['mask', 'hole', 'size', 'finish', 'features'], 'with --noise'
    )
  else:
    program.refuse(['sigma', 'stride'], 'without --noise')
  if noise.NOISE.value == 'text':
    program.refuse(['sigma'], 'with --noise=text')
  else:
    program.refuse(['jpeg', 'font_sizes'], 'without --noise=text')
  baselines = _baselines()
  names = _model_names(baselines)
  if not names and not baselines:
    raise InputError('nothing to measure: give --workdir or --baselines.')
  _check_output()
  source = sources.open_source(_DATA.value)
  trained = _load(names)
  files.check_folder('output', pathlib.Path(_OUTPUT.value))
  limit, tracer = _LIMIT.value, profiling.Tracer(_OUTPUT.value, before=0)
  if profiling.PROFILE.value:
    limit = min(limit or profiling.PROFILE.value, profiling.PROFILE.value)
  measure = filling.measure
  if noise.NOISE.value:
    measure = functools.partial(noise.measure, quality=_JPEG.value)
  found, protocol, details = measure(
    trained,
    baselines,
    source,
    seed=_SEED.value,
    limit=limit,
    pictures=_GRID_IMAGES.value,
  )
  tracer.close()
  about = _about(trained) | details
  grid = reports.write(_OUTPUT.value, found, about, protocol=protocol)
  _show(found)
  print(f'The pictures: {grid.absolute()}')


def _check_output():
  """Refuses to write over what another command has measured."""
  from inpaintax.errors import InputError

  if _OVERWRITE.value:
    return
  path = pathlib.Path(_OUTPUT.value, 'results.json')
  try:
    before = json.loads(path.read_bytes())['command']
    words = [word for word in shlex.split(before) if word != '--overwrite']
  except (OSError, ValueError, LookupError, TypeError, AttributeError):
    return  # No results of an evaluation.
  if shlex.join(words) != _command():
    raise InputError(
      f'--output={_OUTPUT.value} has the results of another evaluation'
      f' ({before}): give another folder, or --overwrite.'
    )


def _command():
  return shlex.join(['python', '-m', 'experiments.evaluate', *sys.argv[1:]])


def _baselines():
  """Names of classical methods for the task."""
  from inpaintax.baselines import BASELINES
  from inpaintax.errors import InputError

  known = list(noise.baselines() if noise.NOISE.value else BASELINES)
  names = known if _BASELINES.value is None else _BASELINES.value
  unknown = [name for name in names if name not in known]
  if unknown or len(set(names)) < len(names):
    raise InputError(
      f'--baselines={",".join(names)}: give each of {",".join(known)} once at'
      ' most' + (f'; not known: {", ".join(unknown)}.' if unknown else '.')
    )
  return names


def _model_names(baselines):
  """What the rows of the workdirs are called: workdirs by name."""
  from inpaintax import evaluate
  from inpaintax.errors import CheckpointError, InputError

  workdirs = _WORKDIR.value
  for workdir in workdirs:
    if not pathlib.Path(workdir).is_dir():
      raise CheckpointError(
        f'--workdir={workdir}: no such folder. Train there first.'
      )
  if len(workdirs) == 1:
    return {'model': workdirs[0]}
  names = {pathlib.Path(path).absolute().name: path for path in workdirs}
  taken = {*baselines, *evaluate.TAKEN}
  if len(names) < len(workdirs) or set(names) & taken:
    raise InputError(
      '--workdir: the last parts of the workdirs name the rows, and must differ'
      ' from each other, from --baselines, and from'
      f' {", ".join(evaluate.TAKEN)}: got {", ".join(workdirs)}.'
    )
  return names


def _load(names):
  """The trained models by the name of their row."""
  if not names:
    return {}
  from inpaintax import checkpoints
  from inpaintax.errors import InputError

  trained = {
    name: checkpoints.load_generator(workdir) for name, workdir in names.items()
  }
  for name, model in trained.items():
    if ('noise' in model.record) != bool(noise.NOISE.value):
      raise InputError(
        f'--workdir={names[name]} and --noise do not fit: this model '
        + (
          'takes noise off: give --noise.'
          if 'noise' in model.record
          else 'fills holes: leave --noise out.'
        )
      )
  return trained


def _about(trained) -> dict[str, Any]:
  """How the figures came about."""
  import jax

  workdirs = dict(zip(trained, _WORKDIR.value, strict=True))
  return {
    'models': [
      {
        'method': name,
        'workdir': workdirs[name],
        'step': model.step,
        'trained_for': model.record.get('noise', model.record.get('mask')),
      }
      for name, model in trained.items()
    ],
    'data': _DATA.value,
    'seed': _SEED.value,
    'command': _command(),
    'device': jax.devices()[0].device_kind,
    'commit': sessions.commit(),
    'versions': sessions.versions(_VERSIONS),
  }


def _show(found):
  """The table on the terminal."""
  import rich.console
  import rich.table

  from inpaintax.evaluate import reports

  where = 'whole' if noise.NOISE.value else 'inside the hole'
  title = f'{len(found.names)} images, {where}'
  table = rich.table.Table(title=title, title_justify='left')
  for heading in reports.headings(found.rows[0]):
    justify = 'left' if heading == 'method' else 'right'
    table.add_column(heading, justify=justify, no_wrap=True)
  for row in found.rows:
    table.add_row(*reports.cells(row))
  # Whole, also into a file or a pipe, whose width rich takes for 80.
  console = rich.console.Console()
  console.width = max(console.width, 135)
  console.print(table)


if __name__ == '__main__':
  program.run(main)
