r"""Looks into a trained denoiser: its first layer, and how its units act.

  python -m experiments.filters --workdir=runs/sigma25 \
    --data=folder:/data/photographs --output=runs/sigma25/filters

Writes `filters.png`, the weights of the first layer's units, those that weigh
most first, each on a grey scale of its own with 0 in the middle;
`activations.png`, how many units have which mean activation, the bar that holds
--rho dark; and `activations.csv`, the mean of each unit of each layer, over
patches drawn as in training.
"""

import csv
import pathlib

from absl import flags

from experiments import program

_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Workdir of a trained denoiser.', required=True
)
_DATA = flags.DEFINE_string(
  'data', 'photos:val', 'Photographs to cut patches from.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'Folder to write the pictures into.', required=True
)
_PATCHES = flags.DEFINE_integer(
  'patches', 4096, 'Patches for the mean activations.', lower_bound=1
)
_RHO = flags.DEFINE_float('rho', 0.05, 'Sparsity target to mark.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of the patches.', lower_bound=0)

_COLUMNS, _ROWS = 16, 10  # Of the picture of filters.
_BARS = 50
_ZOOM = 3


def main():
  """Loads, draws, writes."""
  import numpy as np

  from inpaintax import checkpoints, images, models
  from inpaintax.data import sources
  from inpaintax.errors import InputError

  source = sources.open_source(_DATA.value)
  trained = checkpoints.load_generator(_WORKDIR.value)
  if trained.record.get('noise', {}).get('name') != 'gaussian':
    raise InputError(
      f'--workdir={_WORKDIR.value}: this model takes no Gaussian noise off.'
    )
  module = models.build(trained.record['generator'])
  means = _mean_activations(module, trained, source)
  output = pathlib.Path(_OUTPUT.value)
  weights = module.filters(trained.variables['params'])
  images.write(output / 'filters.png', _tiles(np.asarray(weights)))
  images.write(output / 'activations.png', _bars(means[0]))
  with (output / 'activations.csv').open('w', newline='') as file:
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(['layer', 'unit', 'mean_activation'])
    for layer, found in enumerate(means, start=1):
      for unit, value in enumerate(found):
        writer.writerow([layer, unit, f'{value:.6g}'])
      print(
        f'layer {layer}: {len(found)} units, mean {found.mean():.4f}, median'
        f' {np.median(found):.4f}'
      )
  print(f'The pictures: {output.absolute()}')


def _mean_activations(module, trained, source):
  """Of each encoding layer's units, float `[units]`."""
  import jax
  import numpy as np

  from inpaintax import images
  from inpaintax.corruptions.noise import gaussian
  from inpaintax.data import pool as pools

  pool = pools.load(source, side=module.side)
  keys = jax.random.split(jax.random.key(_SEED.value), (2, _PATCHES.value))
  clean = images.to_float(pools.cut(keys[0], pool, side=module.side))
  noisy = gaussian(keys[1], clean, sigma=trained.record['noise']['sigma'])

  def hidden(bound):
    code, _ = bound.code(noisy)
    return [
      bound.encode(code, depth + 1) for depth in range(len(module.hidden))
    ]

  params = {'params': trained.variables['params']}
  found = jax.jit(lambda params: module.apply(params, method=hidden))(params)
  return [np.asarray(units.mean(range(units.ndim - 1))) for units in found]


def _tiles(kernel):
  """uint8 picture of a first layer, float `[pixels, units]`."""
  import numpy as np

  side = round(len(kernel) ** 0.5)
  order = np.argsort(-np.square(kernel).sum(0))[: _COLUMNS * _ROWS]
  chosen = kernel[:, order].T.reshape(-1, side, side)
  chosen = 127.5 + 127.5 * chosen / np.abs(chosen).max((1, 2), keepdims=True)
  cell = _ZOOM * side + 2
  picture = np.full((_ROWS * cell + 2, _COLUMNS * cell + 2), 255, np.uint8)
  for number, tile in enumerate(chosen):
    row, column = (place * cell + 2 for place in divmod(number, _COLUMNS))
    large = np.rint(tile.repeat(_ZOOM, 0).repeat(_ZOOM, 1)).astype(np.uint8)
    picture[row : row + len(large), column : column + len(large)] = large
  return picture


def _bars(means):
  """uint8 picture: of mean activations from 0 to the largest, or to 1."""
  import numpy as np

  end = max(1.0, float(means.max()))
  counts, edges = np.histogram(means, bins=_BARS, range=(0.0, end))
  picture = np.full((200, 10 * _BARS), 255, np.uint8)
  for bar, count in enumerate(counts):
    height = round(190 * count / counts.max())
    marked = edges[bar] <= _RHO.value < edges[bar + 1]
    left = 10 * bar
    picture[200 - height :, left : left + 8] = 0 if marked else 140
  return picture


if __name__ == '__main__':
  program.run(main)
