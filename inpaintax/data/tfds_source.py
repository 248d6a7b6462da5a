"""Images of a prepared TensorFlow data set, read without TensorFlow."""

import os
import re
from typing import TYPE_CHECKING

import numpy as np

from inpaintax import images
from inpaintax.errors import InputError

if TYPE_CHECKING:
  import tensorflow_datasets as tfds

# NAME/CONFIG:VERSION:SPLIT or DIR:SPLIT. A split begins with a letter and a
# version with a digit; a split may hold colons: `train[:25%]+test`.
_PLACE = re.compile(r'(?P<name>.+?)(?::(?P<split>[A-Za-z_]\w*(?:[\[+].*)?))?')


class TfdsSource:
  """Images of a TensorFlow data set that lies prepared on this machine.

  The data set must have been written as `array_record` (or `parquet`), which
  are the formats with random access. Encoded images are read as bytes and
  decoded by `images.decode`. The feature taken is `image`, or `hr` (data sets
  for super-resolution), or else the first in colour that looks like an image.
  """

  def __init__(self, place: str):
    """Opens a data set.

    Args:
      place: `NAME`, `NAME/CONFIG` or `NAME/CONFIG:VERSION`, looked for in the
        folder that the environment variable TFDS_DATA_DIR names, or in
        `~/tensorflow_datasets`; or the path of a prepared folder, beginning
        with `/`, `.` or `~`. Then `:SPLIT`, any expression of TFDS, such as
        `train[:25%]+test`; `train` if left out.

    Raises:
      InputError: no such data set, not prepared (says how to), not in a format
        with random access, no such split, or no images in it.
    """
    parts = _PLACE.fullmatch(place)
    if parts is None:
      raise InputError(f'tfds:{place}: give tfds:NAME/CONFIG:SPLIT')
    self._split = parts['split'] or 'train'
    try:
      # Takes seconds, which other sources need not spend.
      import tensorflow_datasets as tfds

      builder = _open(parts['name'])
      self._data = builder.as_data_source(self._split)
    except InputError:
      raise
    except Exception as error:  # TFDS raises whatever it likes.
      raise InputError(_explain(parts['name'], place, error)) from error
    self._name = builder.info.full_name
    self._key = _image_key(builder.info.features, place)
    if isinstance(builder.info.features[self._key], tfds.features.Image):
      # Set here and not given to `as_data_source`: TFDS's own mock, by which
      # this is tested, would ask for TensorFlow.
      self._data.decoders = {self._key: tfds.decode.SkipDecoding()}
    if not len(self):
      raise InputError(f'tfds:{place}: the split is empty')

  def __len__(self) -> int:
    return len(self._data)

  def __getitem__(self, index: int) -> np.ndarray:
    value = self._data[index][self._key]
    if isinstance(value, bytes):
      return images.decode(value, name=self.name(index))
    if value.dtype != np.uint8 or value.shape[2:] not in ((1,), (3,)):
      raise InputError(
        f'{self.name(index)}: {self._key} is {value.dtype}{list(value.shape)}; '
        'only 8-bit images with 1 or 3 channels can be used'
      )
    return np.repeat(value, 3, axis=2) if value.shape[2] == 1 else value

  def name(self, index: int) -> str:
    """What to call an image in tables and errors.

    Args:
      index: 0 to len - 1.

    Returns:
      The data set's full name, split and the number, colons between.
    """
    return f'{self._name}:{self._split}:{index}'


def _is_folder(name: str) -> bool:
  """Whether the user means a path, not a name."""
  return name.startswith(('/', '.', '~'))


def _data_dir() -> str:
  """Where prepared data sets lie."""
  # Asked for here: TFDS reads the variable but once, when it is imported.
  default = os.path.join('~', 'tensorflow_datasets')
  return os.path.expanduser(os.environ.get('TFDS_DATA_DIR') or default)


def _open(name: str) -> 'tfds.core.DatasetBuilder':
  """The builder of a data set; nothing is downloaded or prepared."""
  import tensorflow_datasets as tfds

  if not _is_folder(name):
    return tfds.builder(name, data_dir=_data_dir())
  folder = os.path.abspath(os.path.expanduser(name))
  if not os.path.isfile(os.path.join(folder, 'dataset_info.json')):
    raise InputError(
      f'tfds:{name}: no dataset_info.json in {images.printable(folder)}: give '
      'the folder of one version, such as D/imagenette/320px-v2/1.0.0'
    )
  return tfds.builder_from_directory(folder)


def _explain(name: str, place: str, error: Exception) -> str:
  """One line about why a data set could not be opened."""
  if isinstance(error, NotImplementedError):  # No format with random access.
    if _is_folder(name):
      return (
        f'tfds:{place}: its format has no random access: prepare it again '
        'with file_format=array_record'
      )
    return (
      f'tfds:{place}: not prepared as array_record in {_data_dir()}: set '
      'TFDS_DATA_DIR to where it is, or prepare it, with tensorflow installed: '
      f'tfds build {name} --file_format=array_record --data_dir={_data_dir()}'
    )
  lines = str(error).splitlines() or [type(error).__name__]
  return f'tfds:{place}: cannot open: {lines[0]}'


def _image_key(features: 'tfds.features.FeaturesDict', place: str) -> str:
  """The name of the feature that holds the photographs."""
  import tensorflow_datasets as tfds

  found = []
  for key, feature in features.items():
    tensor = type(feature) is tfds.features.Tensor
    shape = feature.shape if tensor else ()
    pixels = (
      tensor and feature.np_dtype == np.uint8 and shape[2:] in ((1,), (3,))
    )
    if pixels or isinstance(feature, tfds.features.Image):
      found.append(key)
  if not found:
    raise InputError(
      f'tfds:{place}: no images among its features {", ".join(features)}'
    )
  usual = [key for key in ('image', 'hr') if key in found]
  colour = [key for key in found if features[key].shape[-1] == 3]
  return (usual or colour or found)[0]
