"""Data that are missing, bad, strange or gone, from outside."""

import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image
from pngs import bomb
from programs import TINY, last_line, run, train


@pytest.mark.scenario(24)
def test_no_data_is_noticed_at_once(tmp_path):
  empty = tmp_path / 'empty'
  for count, kind in enumerate((None, 'empty', 'others')):
    if kind == 'empty':
      empty.mkdir()
    elif kind == 'others':
      for name in ('a.txt', 'b.txt', 'c.npy'):
        (empty / name).write_text('x')
    begun = time.monotonic()
    done = train(tmp_path / 'run', '--steps=1', f'--data=folder:{empty}')
    line = last_line(done, 2)
    assert str(empty) in line
    if count:
      assert '.png' in line
    # It has not compiled anything: that takes longer.
    assert time.monotonic() - begun < 20
    assert not (tmp_path / 'run' / 'metrics.jsonl').exists()


# Says at its end how much memory it took at most, KiB.
_PEAK = """
import atexit, os, resource, sys
from experiments import check_data, program
end = os._exit
def told(code):
  print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
  end(code)
os._exit = told
atexit.register(told, 0)
program.run(check_data.main)
"""


@pytest.mark.scenario(26)
def test_bombs_are_refused_from_their_headers(tmp_path):
  def check(folder):
    done = subprocess.run(
      [sys.executable, '-c', _PEAK, f'--data=folder:{folder}'],
      capture_output=True,
      text=True,
      check=False,
    )
    return done, int(done.stdout.split('peak')[-1])

  for name in ('good', 'bad'):
    (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / name / 'a.png'), np.zeros((9, 9, 3), np.uint8))
  for name, data in {
    'b.png': bomb(12_000),
    'c.png': bomb(60_000),
    'd.png': bomb(8, text=10**8),
  }.items():
    (tmp_path / 'bad' / name).write_bytes(data)
  _, without = check(tmp_path / 'good')
  done, peak = check(tmp_path / 'bad')
  assert '3 of 4 images' in last_line(done, 4)
  for name in ('b.png', 'c.png', 'd.png'):
    assert name in done.stdout
  assert peak - without < 50 * 1024


@pytest.mark.scenario(27)
@pytest.mark.scenario(28)
def test_every_kind_of_picture_is_read(tmp_path):
  generator = np.random.default_rng(0)
  array = generator.integers(0, 255, (24, 31, 3), np.uint8)
  picture = Image.fromarray(array)
  for mode in ('L', 'LA', 'RGBA', 'P', 'RGB'):
    picture.convert(mode).save(tmp_path / f'{mode}.png')
  picture.convert('1').save(tmp_path / 'one_bit.png')
  picture.convert('CMYK').save(tmp_path / 'cmyk.jpg')
  Image.fromarray(array[..., 0] / np.float32(255)).save(tmp_path / 'float.tif')
  cv2.imwrite(str(tmp_path / 'deep.png'), array.astype(np.uint16) * 257)
  cv2.imwrite(str(tmp_path / 'deep.tif'), array[..., 0].astype(np.uint16) * 9)
  more = [Image.fromarray(255 - array)]
  picture.save(tmp_path / 'moving.gif', save_all=True, append_images=more)
  picture.save(tmp_path / 'moving.png', save_all=True, append_images=more)
  for orientation in range(1, 9):
    exif = Image.Exif()
    exif[274] = orientation
    picture.save(tmp_path / f'turned_{orientation}.jpg', exif=exif)
  count = len(list(tmp_path.iterdir()))
  done = run('check_data', f'--data=folder:{tmp_path}')
  # Nobody says what a float's range is.
  assert f'1 of {count} images' in last_line(done, 4)
  assert 'float.tif: ' in done.stdout
  # Eight ways to turn one picture: its tags are four times across.
  assert f'{count - 5} x 31x24 pixels' in done.stdout
  assert '4 x 24x31 pixels' in done.stdout


@pytest.fixture
def photographs(tmp_path):
  """400 of 20x24."""
  folder = tmp_path / 'photographs'
  folder.mkdir()
  generator = np.random.default_rng(0)
  for number in range(400):
    image = generator.integers(0, 255, (20, 24, 3), np.uint8)
    cv2.imwrite(str(folder / f'{number:03}.png'), image)
  return folder


@pytest.mark.scenario(29)
def test_small_images_are_enlarged_and_threads_named(photographs, tmp_path):
  for name, shape in {'dot': (1, 1), 'thread': (1, 400_000)}.items():
    array = np.zeros((*shape, 3), np.uint8)
    cv2.imwrite(str(photographs / f'{name}.png'), array)
  done = train(
    tmp_path / 'run',
    f'--data=folder:{photographs}',
    '--steps=120',
    '--checkpoint_every=120',
    '--log_every=60',
  )
  assert done.returncode == 0, done.stderr
  listed = (tmp_path / 'run' / 'bad_files.txt').read_text()
  assert 'thread.png' in listed and 'dot.png' not in listed
  done = run('check_data', f'--data=folder:{photographs}', '--least=2')
  assert '2 of 402 images' in last_line(done, 4)


@pytest.mark.scenario(30)
def test_an_image_that_vanishes_is_skipped_and_named(photographs, tmp_path):
  # A pipe is no file: opened, it would wait for ever.
  os.mkfifo(photographs / 'pipe.png')
  workdir = tmp_path / 'run'
  process = subprocess.Popen(
    [sys.executable, '-m', 'experiments.context_encoder', *TINY]
    + [f'--workdir={workdir}', f'--data=folder:{photographs}', '--batch_size=2']
    + ['--steps=600', '--checkpoint_every=600'],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  while not process.stdout.readline().startswith('step '):
    assert process.poll() is None, process.communicate()[1]
  process.send_signal(signal.SIGSTOP)
  gone = sorted(photographs.glob('*.png'))[10:13]
  for path in gone:
    path.unlink()
  process.send_signal(signal.SIGCONT)
  told = process.communicate(timeout=120)[1]
  assert process.returncode == 0, told
  listed = (workdir / 'bad_files.txt').read_text()
  assert any(path.name in listed for path in gone)
  assert 'pipe.png: is not a regular file' in listed


@pytest.mark.scenario(31)
def test_names_of_all_kinds_are_read(tmp_path):
  image = cv2.imencode('.png', np.zeros((9, 9, 3), np.uint8))[1].tobytes()
  folder = os.fsencode(tmp_path / 'strange')
  os.mkdir(folder)
  for name in (
    b'a b.png',
    'ü €.png'.encode(),
    b'\xff\xfe.png',
    b'new\nline.png',
  ):
    with open(os.path.join(folder, name), 'wb') as file:
      file.write(image)
  os.symlink('.', os.path.join(folder, b'loop'))
  os.symlink('nowhere', os.path.join(folder, b'broken.png'))
  done = run('check_data', f'--data=folder:{tmp_path / "strange"}')
  assert '4 of 5 images' in done.stdout, done.stdout + done.stderr
  assert '1 of 5 images' in last_line(done, 4) and 'broken.png: ' in done.stdout
