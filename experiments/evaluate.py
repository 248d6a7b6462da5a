"""Compares trained models and classical methods: a table, and a picture grid.

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

import os
import pathlib
import shlex
import sys
from importlib import metadata
from typing import Any

from absl import flags

from experiments import holes, noise, program

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
_SIZE = flags.DEFINE_integer(
  'size',
  None,
  'Side that images are resized and cropped to, pixels, if no model says it.',
  lower_bound=11,
)
_HOLE = flags.DEFINE_integer(
  'hole',
  None,
  'Side of the hole of --mask=center, pixels, if no model says it.',
  lower_bound=1,
)
_SEED = flags.DEFINE_integer(
  'seed',
  0,
  'Root of masks and intervals.',
  lower_bound=0,
  upper_bound=2**32 - 1,
)
_BATCH_SIZE = flags.DEFINE_integer(
  'batch_size', 64, 'Images in a batch.', lower_bound=1
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

  baselines = _baselines()
  names = _model_names(baselines)
  if not names and not baselines:
    raise InputError('nothing to measure: give --workdir or --baselines.')
  source = sources.open_source(_DATA.value)
  _check_output()
  trained = _load(names)
  measure = noise.measure if noise.NOISE.value else _fill
  found, protocol, details = measure(
    trained,
    baselines,
    source,
    seed=_SEED.value,
    limit=_LIMIT.value,
    pictures=_GRID_IMAGES.value,
  )
  about = _about(trained) | details
  grid = reports.write(_OUTPUT.value, found, about, protocol=protocol)
  _show(found)
  print(f'The pictures: {grid.absolute()}')


def _fill(trained, baselines, source, **options):
  """(Evaluation, protocol, details) of what fills holes."""
  from inpaintax import restore
  from inpaintax.evaluate import filling

  records = {name: model.record for name, model in trained.items()}
  size = _agreed('size', _SIZE.value, 'image_size', records)
  hole = _hole(size, records)
  methods = [
    filling.Method(
      name,
      restore.make_filler(model, batch_size=_BATCH_SIZE.value).fill,
      True,
    )
    for name, model in trained.items()
  ]
  found = filling.compare(
    methods + [filling.baseline(name) for name in baselines],
    source,
    holes.masker(size, hole=hole),
    size=size,
    batch_size=_BATCH_SIZE.value,
    **options,
  )
  details = {
    'size': size,
    'mask': holes.MASK.value,
    'hole': hole,
    'batch_size': _BATCH_SIZE.value,
  }
  return found, filling.PROTOCOL, details


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
  if len(names) < len(workdirs) or set(names) & set(baselines):
    raise InputError(
      '--workdir: the last parts of the workdirs name the rows, and must differ'
      f' from each other and from --baselines: got {", ".join(workdirs)}.'
    )
  return names


def _check_output():
  from inpaintax.errors import InputError

  folder = pathlib.Path(_OUTPUT.value)
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise InputError(
      f'--output={folder} cannot be made: {error.strerror}. Give a folder.'
    ) from error
  if not os.access(folder, os.W_OK):
    raise InputError(f'--output={folder} cannot be written to.')


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
        f'--workdir={names[name]} and --noise do not fit: one is for denoising,'
        ' the other for filling holes.'
      )
  return trained


def _agreed(flag, value, key, records):
  """What the flag and all models say, which must be the same."""
  from inpaintax.errors import InputError

  said = {f'--{flag}': value}
  said |= {name: record[key] for name, record in records.items()}
  said = {name: side for name, side in said.items() if side is not None}
  if not said:
    raise InputError(f'--{flag} is needed: no model says it.')
  if len(set(said.values())) > 1:
    text = ', '.join(f'{name}: {side}' for name, side in said.items())
    raise InputError(f'--{flag}: models and flag do not agree ({text}).')
  return next(iter(said.values()))


def _hole(size, records):
  """The side of the centre hole, or None with other masks."""
  from inpaintax.errors import InputError

  if holes.MASK.value == 'center':
    hole = _agreed('hole', _HOLE.value, 'hole', records)
    if hole > size or (size - hole) % 2:
      raise InputError(
        f'--hole={hole} has no exact centre place in {size}x{size} pixels.'
      )
    return hole
  for name, record in records.items():
    if record['hole'] is not None:
      raise InputError(
        f'--mask={holes.MASK.value}: {name} fills only the'
        f' {record["hole"]}x{record["hole"]} pixels in the centre. Use'
        ' --mask=center.'
      )
  if _HOLE.value is not None:
    raise InputError(f'--hole has no meaning with --mask={holes.MASK.value}.')
  return None


def _about(trained) -> dict[str, Any]:
  """How the figures came about."""
  import jax

  command = ['python', '-m', 'experiments.evaluate', *sys.argv[1:]]
  workdirs = dict(zip(trained, _WORKDIR.value, strict=True))
  return {
    'models': [
      {'method': name, 'workdir': workdirs[name], 'step': model.step}
      for name, model in trained.items()
    ],
    'data': _DATA.value,
    'seed': _SEED.value,
    'command': shlex.join(command),
    'device': jax.devices()[0].device_kind,
    'versions': {name: metadata.version(name) for name in _VERSIONS},
  }


def _show(found):
  """The table on the terminal."""
  import rich.console
  import rich.table

  from inpaintax.evaluate import reports

  where = 'whole' if noise.NOISE.value else 'inside the hole'
  title = f'{len(found.names)} images, {where}'
  table = rich.table.Table(title=title, title_justify='left')
  for heading in reports.headings(found):
    justify = 'left' if heading == 'method' else 'right'
    table.add_column(heading, justify=justify, no_wrap=True)
  for row in found.rows:
    table.add_row(*reports.cells(row))
  # Whole, also into a file or a pipe, whose width rich takes for 80.
  console = rich.console.Console()
  console.width = max(console.width, 100)
  console.print(table)


if __name__ == '__main__':
  program.run(main)
