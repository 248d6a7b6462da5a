"""Sources by name: photographs of the wheel, folders, tars, and slices."""

import gzip
import io
import os
import pathlib
import tarfile
from concurrent import futures

import numpy as np
import pytest

from inpaintax import images
from inpaintax.data.sources import mean_color, open_source
from inpaintax.errors import InputError


def picture(number):
  """A picture that tells its number."""
  return np.full((4, 5, 3), number, np.uint8)


def png(number, folder):
  path = pathlib.Path(folder) / 'made.png'
  images.write(path, picture(number))
  data = path.read_bytes()
  path.unlink()
  return data


def names(source):
  return [source.name(i) for i in range(len(source))]


def values(source):
  return [int(source[i][0, 0, 0]) for i in range(len(source))]


def write_tar(path, members, kind=tarfile.GNU_FORMAT):
  with tarfile.open(path, 'w', format=kind) as archive:
    for name, data in members:
      entry = tarfile.TarInfo(name)
      entry.size = len(data)
      archive.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize('part, count', [('train', 10), ('val', 2)])
def test_the_photographs_are_there_and_in_colour_or_grey(part, count):
  source = open_source(f'photos:{part}')
  assert len(source) == count
  for i in range(count):
    assert source[i].shape[2] == 3 and min(source[i].shape[:2]) >= 300
    assert source[i].std() > 10


def test_training_and_validation_photographs_are_not_the_same():
  assert not set(names(open_source('photos:train'))) & set(
    names(open_source('photos:val'))
  )
  assert names(open_source('photos')) == names(open_source('photos:train'))


def test_a_folder_is_searched_to_its_depth_and_sorted(tmp_path):
  for number, name in enumerate(
    ['b.png', 'a/z.PNG', 'a/b/c.jpg', 'ü ü.bmp', 'c.tiff', 'a.webp']
  ):
    images.write(tmp_path / name, picture(40 * number))
  for name in ('._b.png', '.hidden/x.png', 'notes.txt', 'b.json'):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('no image')
  (tmp_path / 'dir.jpg').mkdir()
  source = open_source(f'folder:{tmp_path}')
  expected = ['a.webp', 'a/b/c.jpg', 'a/z.PNG', 'b.png', 'c.tiff', 'ü ü.bmp']
  assert names(source) == expected
  assert [round(v / 40) for v in values(source)] == [5, 2, 1, 0, 4, 3]


@pytest.mark.scenario(31)
def test_links_are_followed_but_not_round_and_round(tmp_path):
  images.write(tmp_path / 'data' / 'in' / 'a.png', picture(1))
  images.write(tmp_path / 'elsewhere' / 'b.png', picture(2))
  os.symlink(tmp_path / 'data', tmp_path / 'data' / 'in' / 'round')
  os.symlink(tmp_path / 'elsewhere', tmp_path / 'data' / 'out')
  os.symlink(tmp_path / 'nowhere', tmp_path / 'data' / 'dangling')
  source = open_source(f'folder:{tmp_path / "data"}')
  assert sorted(values(source)) == [1, 2]


@pytest.mark.scenario(31)
def test_names_that_are_no_utf8_are_read_and_can_be_printed(tmp_path):
  odd = os.fsencode(tmp_path) + b'/caf\xe9.png'
  with open(odd, 'wb') as file:
    file.write(png(7, tmp_path))
  source = open_source(f'folder:{tmp_path}')
  assert names(source) == ['caf\\xe9.png'] and values(source) == [7]


def test_a_bad_file_is_named_when_it_is_read(tmp_path):
  (tmp_path / 'bad.png').write_text('no image')
  source = open_source(f'folder:{tmp_path}')
  with pytest.raises(InputError, match=r'bad\.png: not an image'):
    source[0]
  (tmp_path / 'bad.png').unlink()
  with pytest.raises(InputError, match=r'bad\.png: cannot read'):
    source[0]


def test_a_tar_gives_its_images_in_its_own_order(tmp_path):
  long = 'd/' * 60 + 'long.png'
  for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
    members = [('z.png', 1), (long, 2), ('sub/a.PNG', 3)]
    write_tar(
      tmp_path / 'x.tar',
      [(name, png(number, tmp_path)) for name, number in members]
      + [('readme.txt', b'hello'), ('d/._z.png', b'mac')],
      kind,
    )
    source = open_source(f'tar:{tmp_path}/x.tar')
    assert values(source) == [1, 2, 3]
    assert names(source) == ['x.tar/z.png', f'x.tar/{long}', 'x.tar/sub/a.PNG']


def test_tars_come_sorted_by_path(tmp_path):
  for number in (2, 0, 1):
    path = tmp_path / f'part-{number}' / f'{number}.tar'
    path.parent.mkdir()
    write_tar(path, [('a.png', png(number, tmp_path))])
  assert values(open_source(f'tar:{tmp_path}/part-*/*.tar')) == [0, 1, 2]
  assert values(open_source(f'tar:{tmp_path}/**/[12].tar')) == [1, 2]
  assert values(open_source(f'tar:{tmp_path}/**/?.tar[1:]')) == [1, 2]


def test_a_tar_is_read_by_many_threads_at_once(tmp_path):
  write_tar(
    tmp_path / 'x.tar', [(f'{i}.png', png(i, tmp_path)) for i in range(50)]
  )
  source = open_source(f'tar:{tmp_path}/x.tar')
  with futures.ThreadPoolExecutor(8) as pool:
    found = list(pool.map(lambda i: int(source[i % 50][0, 0, 0]), range(400)))
  assert found == list(range(50)) * 8


@pytest.mark.parametrize(
  'cut, expected',
  [
    ('[:]', [0, 1, 2, 3, 4]),
    ('[3:]', [3, 4]),
    ('[:2]', [0, 1]),
    ('[1:3]', [1, 2]),
    ('[-2:]', [3, 4]),
    ('[:-4]', [0]),
    ('[3:100]', [3, 4]),
  ],
)
def test_a_slice_is_python_s_own(tmp_path, cut, expected):
  for i in range(5):
    images.write(tmp_path / f'{i}.png', picture(i))
  source = open_source(f'folder:{tmp_path}{cut}')
  assert values(source) == expected
  assert names(source) == [f'{i}.png' for i in expected]
  with pytest.raises(IndexError):
    source[len(expected)]


def test_what_does_not_exist_is_refused_with_what_to_do(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'texts').mkdir()
  for name in ('a.txt', 'b.txt', 'c.json', 'README'):
    (tmp_path / 'texts' / name).write_text('')
  (tmp_path / 'a.tar').write_bytes(b'no tar')
  (tmp_path / 'b.tar').write_bytes(gzip.compress(bytes(10240)))
  write_tar(tmp_path / 'c.tar', [('a.txt', b'hello')])
  for spec, told in (
    ('', 'no data source: use photos, folder:DIR, tar:GLOB or tfds:'),
    ('photo', 'no data source'),
    ('/some/folder', 'no data source'),
    ('photos:test', 'photos:test does not exist: use photos:train'),
    ('photos:val[-:5]', 'does not exist: use photos:train'),
    ('photos[10:]', r'the slice \[10:\] of 10 images is empty'),
    ('folder:', 'does not say where'),
    ('folder:gone', f'{tmp_path}/gone does not exist'),
    ('folder:a.tar', f'{tmp_path}/a.tar is not a folder'),
    ('folder:empty', r'\.bmp .* \.webp, found no file at all'),
    ('folder:texts', r'found 2 x \.txt, 1 x \.json, 1 x no suffix'),
    ('tar:gone-*.tar', f'no file matches {tmp_path}/gone-'),
    ('tar:a.tar', 'a.tar: not an uncompressed tar'),
    ('tar:b.tar', 'b.tar: not an uncompressed tar.*unpack'),
    ('tar:c.tar', r'no image in 1 archives.*found 1 x \.txt'),
  ):
    with pytest.raises(InputError, match=told) as refusal:
      open_source(spec)
    assert '\n' not in str(refusal.value)


def test_a_tar_that_is_cut_off_is_refused(tmp_path):
  path = tmp_path / 'x.tar'
  write_tar(path, [(f'{i}.png', png(i, tmp_path)) for i in range(3)])
  whole = path.read_bytes()
  source = open_source(f'tar:{path}')
  # Within the last member's bytes.
  path.write_bytes(whole[: 5 * 512 + 20])
  with pytest.raises(InputError, match=r'x\.tar: (cut off|.*damaged)'):
    open_source(f'tar:{path}')
  with pytest.raises(InputError, match=r'x\.tar/2\.png: .*shorter'):
    source[2]


@pytest.mark.parametrize('length', [1, 3, 4, 5, 7, 8, 1000])
def test_the_mean_colour_is_that_of_all_parts_of_a_source(length):
  class Rising:
    """Image n has the grey of n, of 0 to 255 over the source."""

    def __len__(self):
      return length

    def __getitem__(self, index):
      return np.full((2, 2, 3), 255 * index / length)

  # At most a fourth of the range is left out at the end, none elsewhere.
  [mean] = {*mean_color(Rising(), count=4)}
  looked = min(4, length)
  expected = np.mean([n * length // looked / length for n in range(looked)])
  assert mean == pytest.approx(2 * expected - 1)
  with pytest.raises(ValueError, match='count must be at least 1'):
    mean_color(Rising(), count=0)
