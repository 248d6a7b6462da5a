"""Whatever comes in: properties, on inputs that nobody thought of."""

import io

import jax
import numpy as np
from absl import flags
from absl.testing import flagsaver
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from experiments import networks, noise, training, usage
from inpaintax import images, patches
from inpaintax.corruptions import masks
from inpaintax.data import sources
from inpaintax.errors import InputError

# No deadline: what compiles takes as long as it takes. The same examples in
# every run: what fails here must fail for others.
settings.register_profile(
  'ours', deadline=None, derandomize=True, max_examples=100, database=None
)
settings.load_profile('ours')

KINDS = ('BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')
pictures = arrays.arrays(
  np.uint8,
  st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)),
)


def encoded(array, kind):
  out = io.BytesIO()
  Image.fromarray(array).save(out, kind)
  return out.getvalue()


@given(pictures, st.sampled_from(['PNG', 'BMP', 'TIFF', 'PPM']))
def test_a_lossless_file_of_any_size_gives_its_pixels(array, kind):
  np.testing.assert_array_equal(
    images.decode(encoded(array, kind), name='it'), array
  )


@given(
  pictures,
  st.sampled_from(KINDS),
  st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8),
  st.integers(0, 10**6),
)
def test_a_damaged_file_gives_an_image_or_one_clear_error(
  array, kind, changes, length
):
  data = bytearray(encoded(array, kind))
  for place, value in changes:
    data[place % len(data)] = value
  data = bytes(data[: length % (len(data) + 1)] if length % 3 else data)
  try:
    image = images.decode(data, name='it')
  except InputError as error:
    assert str(error).startswith('it: ') and '\n' not in str(error)
  else:
    assert image.dtype == np.uint8 and image.shape[2] == 3


@given(st.binary(max_size=200))
def test_any_bytes_give_an_image_or_one_clear_error(data):
  try:
    images.decode(data, name='it')
  except InputError as error:
    assert str(error).startswith('it: ')


@given(pictures.filter(lambda array: min(array.shape[:2]) < 40))
def test_grey_is_the_level_nearest_to_the_weighted_channels(array):
  grey = images.to_grey(array)
  exact = (299 * array[..., 0].astype(int)) + 587 * array[..., 1].astype(int)
  exact = (exact + 114 * array[..., 2].astype(int)) / 1000
  assert (np.abs(grey - exact) <= 0.5).all()


@given(st.data())
def test_patches_cover_any_length_at_any_stride(data):
  side = data.draw(st.integers(1, 30))
  length = data.draw(st.integers(side, 200))
  stride = data.draw(st.integers(1, side))
  found = patches.starts(length, side, stride)
  covered = np.zeros(length, int)
  for start in found:
    covered[start : start + side] += 1
  assert covered.min() >= 1 and (np.diff(found) > 0).all()
  assert found[0] == 0 and found[-1] == length - side


# Few: each size compiles anew.
@settings(max_examples=6)
@given(
  st.integers(8, 40), st.integers(8, 40), st.integers(1, 4), st.integers(0, 99)
)
def test_blocks_stay_within_their_area_whatever_the_size(
  height, width, blocks, seed
):
  most = min(height, width) // 2
  drawn = masks.random_blocks(
    jax.random.split(jax.random.key(seed), 5),
    (height, width),
    min_side=1,
    max_side=most,
    max_blocks=blocks,
    max_area=0.5,
  )
  share = np.asarray(drawn).mean((1, 2, 3))
  assert drawn.shape == (5, height, width, 1)
  assert (0 < share).all() and (share <= 0.5).all()


FLAGS = sorted(flag.name for flag in usage.own_flags())
assert training.STEPS.name in FLAGS
words = st.text(st.characters(exclude_categories=['Cs']), max_size=20)


@given(
  st.sampled_from(['', 'photos', 'photos:', 'folder:', 'tar:', 'tfds:']),
  words,
)
def test_any_name_of_a_source_is_opened_or_refused(kind, rest):
  try:
    assert len(sources.open_source(kind + rest)) > 0
  except InputError as error:
    assert '\n' not in str(error) or '\n' in rest


@given(st.sampled_from(FLAGS), words)
def test_any_value_of_any_flag_is_refused_or_comes_back_from_flags_txt(
  name, value
):
  flag = flags.FLAGS[name]
  with flagsaver.flagsaver():
    try:
      flags.FLAGS(['program', '--workdir=w', f'--{name}={value}'])
    except (flags.Error, SystemExit):
      return
    taken, line = flag.value, flag.serialize()
    flags.FLAGS(['program', '--workdir=w', line])
    # As text: nan is not itself.
    assert str(flag.value) == str(taken)


@given(st.integers(-5, 300), st.integers(-5, 300), st.integers(-5, 300))
def test_sizes_that_do_not_fit_together_are_refused(size, overlap, hole):
  with flagsaver.flagsaver():
    try:
      flags.FLAGS(
        ['program', '--workdir=w', f'--size={size}', f'--overlap={overlap}']
      )
      networks.check()
      record = networks.record((0.0, 0.0, 0.0))
    except (flags.Error, InputError):
      return
  assert record['image_size'] == size
  assert record['hole'] is None or 0 < record['hole'] <= size


@given(words)
def test_any_font_sizes_are_two_that_rise_or_refused(value):
  with flagsaver.flagsaver():
    try:
      flags.FLAGS(['program', '--workdir=w', f'--font_sizes={value}'])
      low, high = noise.font_sizes()
    except (flags.Error, InputError):
      return
  assert 6 <= low <= high <= 200
