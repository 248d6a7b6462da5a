"""Reads every image of a source, and names those that cannot be.

  python -m experiments.check_data --data=folder:photographs
  python -m experiments.check_data --data='tar:/data/train-*.tar[500:]'
  python -m experiments.check_data --data=folder:photographs --least=64

Exit code 4 if there are any.
"""

import collections
import concurrent.futures
import os

from absl import flags

from experiments import program

_DATA = flags.DEFINE_string(
  'data',
  None,
  'Photographs: photos, folder:DIR, tar:GLOB or tfds:NAME:SPLIT.',
  required=True,
)
_LEAST = flags.DEFINE_integer(
  'least', 1, 'Shortest side that is of use, pixels.', lower_bound=1
)


def _look(source, number):
  """(width and height, None), or (None, what is wrong)."""
  from inpaintax.errors import InputError

  try:
    height, width = source[number].shape[:2]
  except InputError as error:
    return None, str(error)
  if min(height, width) < _LEAST.value:
    name = source.name(number)
    return None, f'{name}: {width}x{height} pixels are too small'
  return (width, height), None


def main():
  """Reads them all."""
  from inpaintax.data import sources
  from inpaintax.errors import ItemsFailedError

  source = sources.open_source(_DATA.value)
  sizes = collections.Counter()
  bad = 0
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
    looks = threads.map(lambda n: _look(source, n), range(len(source)))
    for size, wrong in looks:
      if wrong is None:
        sizes[size] += 1
      else:
        bad += 1
        print(wrong, flush=True)
  print(f'{len(source) - bad:,} of {len(source):,} images can be read.')
  for (width, height), count in sizes.most_common(3):
    print(f'{count:,} x {width}x{height} pixels')
  if sizes:
    print(
      f'shortest side {min(map(min, sizes))}, longest {max(map(max, sizes))}'
    )
  if bad:
    raise ItemsFailedError(
      f'{bad} of {len(source)} images of --data={_DATA.value} are bad, named'
      ' above: mend them, or take them away.'
    )


if __name__ == '__main__':
  program.run(main)
