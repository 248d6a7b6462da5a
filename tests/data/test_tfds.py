"""TensorFlow data sets, mocked and really prepared; never TensorFlow."""

import io
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from inpaintax.data import batches
from inpaintax.data.sources import open_source
from inpaintax.errors import InputError


def pixels(number):
  """A picture that tells its number, its width too."""
  image = np.random.default_rng(number).integers(
    0, 256, (6, 7 + number % 3, 3), np.uint8
  )
  image[0, 0] = number
  return image


def png(image):
  """The image as a file: to encode arrays, TFDS itself needs TensorFlow."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'PNG')
  file.seek(0)
  return file


class SmallPhotos(tfds.core.GeneratorBasedBuilder):
  """Photographs that are not called `image`, and a mask before them."""

  VERSION = tfds.core.Version('1.2.0')
  FEATURES = (
    ('label', np.int64),
    ('mask', tfds.features.Image(shape=(None, None, 1))),
    ('photo', tfds.features.Image(shape=(None, None, 3))),
  )

  def _info(self):
    features = tfds.features.FeaturesDict(dict(self.FEATURES))
    return tfds.core.DatasetInfo(builder=self, features=features)

  def _split_generators(self, dl_manager):
    del dl_manager
    return {
      'train': self._generate_examples(range(12)),
      'test': self._generate_examples(range(12, 15)),
    }

  def _generate_examples(self, numbers):
    for number in numbers:
      yield number, self.example(number)

  def example(self, number):
    photo = pixels(number)
    mask = 255 - photo[..., 0]
    return {'label': number, 'mask': png(mask), 'photo': png(photo)}


class GreyArrays(SmallPhotos):
  """Raw arrays with one channel in place of encoded images."""

  FEATURES = (
    ('scores', tfds.features.Tensor(shape=(2, 2, 3), dtype=np.float32)),
    ('pixels', tfds.features.Tensor(shape=(5, 4, 1), dtype=np.uint8)),
  )

  def example(self, number):
    return {
      'scores': np.zeros((2, 2, 3), np.float32),
      'pixels': np.full((5, 4, 1), number, np.uint8),
    }


class NoImages(SmallPhotos):
  """Numbers alone."""

  FEATURES = (('label', np.int64),)

  def example(self, number):
    return {'label': number}


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  """A folder where all of the above lie prepared."""
  folder = tmp_path_factory.mktemp('tfds')
  for builder in (SmallPhotos, GreyArrays, NoImages):
    builder(data_dir=folder, file_format='array_record').download_and_prepare()
  return folder


def by_number(source):
  """The source's pictures by the number that each tells."""
  return {int(source[i][0, 0, 0]): source[i] for i in range(len(source))}


@pytest.mark.parametrize('how', ['by name', 'by folder'])
def test_a_prepared_data_set_gives_its_pixels(data_dir, monkeypatch, how):
  if how == 'by name':
    monkeypatch.setenv('TFDS_DATA_DIR', str(data_dir))
    place = 'small_photos'
  else:
    place = f'{data_dir}/small_photos/1.2.0'
  for split, numbers in (
    ('', range(12)),
    (':train', range(12)),
    (':test', range(12, 15)),
    (':train+test', range(15)),
  ):
    found = by_number(open_source(f'tfds:{place}{split}'))
    assert sorted(found) == list(numbers)
    for number, image in found.items():
      np.testing.assert_array_equal(image, pixels(number))
  assert (
    open_source(f'tfds:{place}:test').name(2) == 'small_photos/1.2.0:test:2'
  )


def test_parts_of_a_split_by_share_and_by_number(data_dir):
  place = f'tfds:{data_dir}/small_photos/1.2.0'
  whole = open_source(place)
  for cut, numbers in (
    (':train[:25%]', range(3)),
    (':train[-5:]', range(7, 12)),
    ('[4:6]', range(4, 6)),
  ):
    part = open_source(place + cut)
    assert len(part) == len(numbers)
    for i, number in enumerate(numbers):
      np.testing.assert_array_equal(part[i], whole[number])


def test_raw_arrays_are_images_too(data_dir):
  found = by_number(open_source(f'tfds:{data_dir}/grey_arrays/1.2.0'))
  for number in range(12):
    np.testing.assert_array_equal(found[number], np.full((5, 4, 3), number))


def test_threads_read_a_data_set_as_one_does(data_dir):
  source = open_source(f'tfds:{data_dir}/small_photos/1.2.0')
  options = {'batch_size': 8, 'size': 5, 'seed': 0, 'cache_bytes': 0}
  one = batches.train_batches(source, threads=0, **options)
  many = batches.train_batches(source, threads=8, **options)
  for _ in range(20):
    np.testing.assert_array_equal(next(one), next(many))


@pytest.mark.parametrize(
  'name, shape',
  [
    ('imagenet_resized/64x64', (64, 64, 3)),
    ('imagenette/320px-v2', (None, None, 3)),
    ('places365_small', (256, 256, 3)),
    ('celeb_a', (218, 178, 3)),
    ('div2k', (None, None, 3)),
    ('mnist', (28, 28, 3)),  # One channel there, three here.
  ],
)
def test_the_known_data_sets_open_by_their_names(name, shape):
  with tfds.testing.mock_data(num_examples=5):
    source = open_source(f'tfds:{name}:train')
    assert len(source) == 5
    image = source[4]
    assert image.dtype == np.uint8 and image.ndim == 3
    for got, wanted in zip(image.shape, shape, strict=True):
      assert wanted in (None, got)
    batch = next(
      batches.train_batches(source, batch_size=3, size=16, seed=0, threads=0)
    )
    assert batch.shape == (3, 16, 16, 3)


def test_encoded_images_are_left_to_the_one_decoder(data_dir, monkeypatch):
  source = open_source(f'tfds:{data_dir}/small_photos/1.2.0')
  told = []

  def decode(data, *, name):
    told.append((type(data), name))
    return np.zeros((1, 1, 3), np.uint8)

  monkeypatch.setattr('inpaintax.images.decode', decode)
  assert source[3].shape == (1, 1, 3)
  assert told == [(bytes, 'small_photos/1.2.0:train:3')]


def test_what_cannot_be_opened_is_refused_with_what_to_do(
  data_dir, tmp_path, monkeypatch
):
  monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path))
  for spec, told in (
    (
      'imagenette/320px-v2:train',
      f'not prepared as array_record in {tmp_path}: .*TFDS_DATA_DIR.*'
      'tfds build imagenette/320px-v2 --file_format=array_record '
      f'--data_dir={tmp_path}',
    ),
    ('mnist', 'tfds build mnist --file'),
    ('no_such_set:train', 'Dataset no_such_set not found'),
    ('imagenette/7px', '7px not found'),
    (f'{tmp_path}:train', f'no dataset_info.json in {tmp_path}: give'),
    (f'{data_dir}/small_photos/1.2.0:dev', "Unknown split 'dev'"),
    (f'{data_dir}/small_photos/1.2.0:train[5:5]', 'is empty'),
    (f'{data_dir}/small_photos/1.2.0:test[:1%]', 'cannot open'),
    (f'{data_dir}/no_images/1.2.0', 'no images among its features label'),
    ('', 'does not say where'),
    (':', 'cannot open'),
  ):
    with pytest.raises(InputError, match=told) as refusal:
      open_source(f'tfds:{spec}')
    assert '\n' not in str(refusal.value)


def test_a_data_set_without_random_access_is_refused(tmp_path, monkeypatch):
  # Written without TensorFlow, a data set never is one of these.
  SmallPhotos(
    data_dir=tmp_path, file_format='array_record'
  ).download_and_prepare()
  info = tmp_path / 'small_photos' / '1.2.0' / 'dataset_info.json'
  info.write_text(info.read_text().replace('array_record', 'tfrecord'))
  with pytest.raises(InputError, match='prepare it again with file_format='):
    open_source(f'tfds:{info.parent}')


def test_tensorflow_is_never_imported(data_dir):
  code = (
    'import sys\n'
    'from inpaintax.data.sources import open_source\n'
    'assert "tensorflow_datasets" not in sys.modules\n'
    f'open_source("tfds:{data_dir}/small_photos/1.2.0")[0]\n'
    'assert "tensorflow" not in sys.modules\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
