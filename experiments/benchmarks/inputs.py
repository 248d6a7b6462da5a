"""How fast each source gives batches, and how long training waits for them."""

import functools
import io
import pathlib
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from experiments.benchmarks import timing, train_step

_COUNT = 512  # Photographs of a source.
_BATCH = 64
_BATCHES = 8  # Of a turn.
_SIZES = (64, 128, 256)
_THREADS = 2
_AHEAD = 4 * _THREADS  # Batches, see data.batches.


def cases(
  rounds: int, wanted: Callable[[str], bool]
) -> Iterator[dict[str, Any]]:
  """Measures every source at every size.

  The files are JPEGs of 5/4 of the size, parts of the embedded photographs.

  Args:
    rounds: turns.
    wanted: whether a case of that name is.

  Yields:
    Plain JSON: `case`, `unit`, `rows` of `timing.rows`. Where a network of that
    size is published, then also with it: `waiting`, the share of the time that
    the loop stood still for the next batch.
  """
  for size in _SIZES:
    name = f'{size}x{size}'
    with tempfile.TemporaryDirectory() as folder:
      if wanted(name):
        places = _places(pathlib.Path(folder), size * 5 // 4)
        yield {
          'case': name,
          'unit': 'images',
          'rows': _alone(places, size, rounds),
        }
      name = f'{size}x{size}, training'
      step = _STEPS.get(size)
      if step and wanted(name):
        places = _places(pathlib.Path(folder), size * 5 // 4)
        yield {
          'case': name,
          'unit': 'images',
          'rows': _training(places, step, rounds),
        }


_STEPS = {
  64: train_step.CASES[-1],
  128: train_step.CASES[0],
}


def _alone(places, size, rounds):
  """Batches made when asked for, and nothing done with them."""

  def take(stream):
    for _ in range(_BATCHES):
      next(stream)

  sides = []
  for name, place in places.items():
    for kept, cache in (('decoded each time', 0), ('kept in memory', 2**30)):
      stream = _stream(place, size, _BATCH, cache_bytes=cache, threads=0)
      run = functools.partial(take, stream)
      sides.append(timing.Side(f'{name}, {kept}', run, _BATCHES * _BATCH))
  seconds = timing.interleaved(sides, rounds=rounds)
  return timing.rows(sides, seconds, ours=sides[0].name)


def _training(places, case, rounds):
  """Batches into a step; one that never changes beside them."""
  batch = train_step.batch(case)
  step, _ = train_step.ours(case)
  waited = {name: [] for name in places}
  step(batch)

  def take(name, stream):
    # What was made ahead while the other sides ran.
    for _ in range(_AHEAD):
      next(stream)
    start, stood = time.perf_counter(), 0.0
    for _ in range(_BATCHES):
      asked = time.perf_counter()
      images = next(stream)
      stood += time.perf_counter() - asked
      step(images)
    taken = time.perf_counter() - start
    waited[name].append(stood / taken)
    return taken

  def same():
    start = time.perf_counter()
    for _ in range(_BATCHES):
      step(batch)
    return time.perf_counter() - start

  work = _BATCHES * case.batch
  sides = [timing.Side('the same batch', same, work)]
  for name, place in places.items():
    stream = _stream(place, case.size, case.batch, threads=_THREADS)
    run = functools.partial(take, name, stream)
    sides.append(timing.Side(name, run, work))
  seconds = timing.interleaved(sides, rounds=rounds, warmups=1)
  rows = timing.rows(sides, seconds, ours='the same batch')
  for row in rows[1:]:
    found = sorted(waited[row['name']][1:])
    row['waiting'] = found[len(found) // 2]
  return rows


def _stream(place, size, batch_size, **options):
  from inpaintax.data import batches, sources

  source = sources.open_source(place)
  return batches.train_batches(
    source, batch_size=batch_size, size=size, seed=0, **options
  )


def _places(folder, side):
  """Sources of photographs of one size, by name; written if need be."""
  jpegs = folder / 'jpegs'
  places = {
    'photos': 'photos:train',
    'folder': f'folder:{jpegs}',
    'tar': f'tar:{folder}/photographs.tar',
    'tfds': f'tfds:{folder}/photographs/1.0.0:train',
  }
  if jpegs.exists():
    return places
  jpegs.mkdir()
  with tarfile.open(folder / 'photographs.tar', 'w') as tar:
    for number, pixels in enumerate(_photographs(side)):
      name = f'{number:04}.jpg'
      data = _jpeg(pixels)
      (jpegs / name).write_bytes(data)
      about = tarfile.TarInfo(name)
      about.size = len(data)
      tar.addfile(about, io.BytesIO(data))
  _prepare(folder, jpegs)
  return places


def _photographs(side):
  """Parts of the embedded photographs, uint8 `[side, side, 3]`."""
  from inpaintax.data import batches, sources

  source = sources.open_source('photos:train')
  stream = batches.train_batches(source, batch_size=1, size=side, seed=0)
  for _ in range(_COUNT):
    yield next(stream)[0]


def _jpeg(pixels):
  from PIL import Image

  file = io.BytesIO()
  Image.fromarray(pixels).save(file, 'JPEG', quality=90)
  return file.getvalue()


def _prepare(folder, jpegs):
  """A TensorFlow data set of the files, without TensorFlow."""
  import tensorflow_datasets as tfds

  tfds.disable_progress_bar()

  # Every size has its own, of the same name.
  class Photographs(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The files of a folder."""

    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
      image = tfds.features.Image(shape=(None, None, 3))
      features = tfds.features.FeaturesDict({'image': image})
      return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
      del dl_manager
      return {'train': self._generate_examples()}

    def _generate_examples(self):
      for path in sorted(jpegs.iterdir()):
        yield path.name, {'image': io.BytesIO(path.read_bytes())}

  builder = Photographs(data_dir=folder, file_format='array_record')
  builder.download_and_prepare()
