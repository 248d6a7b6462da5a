"""Faults, from outside: damage, data, flags; each run is a process."""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

TINY = (
  f'--flagfile={pathlib.Path(__file__).parents[1]}'
  '/experiments/context_encoder_tiny.flags',
  '--adversarial_weight=0.5',
  '--log_every=1',
  '--checkpoint_every=1',
)


def run(name, *args, **env):
  return subprocess.run(
    [sys.executable, '-m', f'experiments.{name}', *map(str, args)],
    capture_output=True,
    text=True,
    check=False,
    env=os.environ | env,
  )


def train(workdir, *args, **env):
  return run('context_encoder', *TINY, f'--workdir={workdir}', *args, **env)


def said(done, code):
  """The last line on stderr, which is ours."""
  assert done.returncode == code, done.stderr
  assert 'Traceback' not in done.stderr
  line = done.stderr.strip().splitlines()[-1]
  assert line.startswith('inpaintax: ')
  return line


def metrics(workdir):
  return (workdir / 'metrics.jsonl').read_bytes()


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('faults') / 'run'
  done = train(workdir, '--steps=3')
  assert done.returncode == 0, done.stderr
  return workdir


@pytest.fixture
def workdir(trained, tmp_path):
  shutil.copytree(trained, tmp_path / 'run')
  return tmp_path / 'run'


def largest(folder):
  files = (path for path in folder.rglob('*') if path.is_file())
  return max(files, key=lambda path: path.stat().st_size)


DAMAGES = {
  'half': lambda step: os.truncate(
    largest(step), largest(step).stat().st_size // 2
  ),
  'to nothing': lambda step: os.truncate(largest(step), 0),
  'no manifest': lambda step: (step / 'manifest.sha256').unlink(),
  'one file gone': lambda step: largest(step).unlink(),
  'emptied': lambda step: [shutil.rmtree(step), step.mkdir()],
}


@pytest.mark.scenario(7)
@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_step_is_stepped_around(workdir, trained, damage):
  DAMAGES[damage](workdir / 'checkpoints' / '3')
  done = train(workdir, '--steps=3')
  assert 'checkpoint 3 in' in said(done, 0) and '3.corrupt' in said(done, 0)
  assert metrics(workdir) == metrics(trained)
  names = sorted(path.name for path in (workdir / 'checkpoints').iterdir())
  assert names == ['1', '2', '3', '3.corrupt']


@pytest.mark.scenario(10)
def test_the_same_command_goes_on(workdir):
  done = train(workdir, '--steps=4')
  assert done.returncode == 0 and 'step 4/4' in done.stdout
  assert 'step 3/4' not in done.stdout


@pytest.mark.scenario(11)
def test_another_model_is_refused_and_harmless_flags_are_not(workdir):
  line = said(train(workdir, '--steps=9', '--width=8'), 2)
  assert 'another model' in line and "'widths': [8]" in line
  assert train(workdir, '--steps=4', '--log_every=2').returncode == 0


@pytest.mark.scenario(18)
def test_a_run_follows_from_its_seed(trained, tmp_path):
  for name, *args in (('same',), ('same too', '--deterministic')):
    assert train(tmp_path / name, '--steps=3', *args).returncode == 0
    assert metrics(tmp_path / name) == metrics(trained)
  assert train(tmp_path / 'other', '--steps=3', '--seed=1').returncode == 0
  assert metrics(tmp_path / 'other') != metrics(trained)


@pytest.mark.scenario(20)
@pytest.mark.parametrize('way', ['pmap', 'not compiled'])
def test_a_step_is_the_same_however_it_is_run(trained, tmp_path, way):
  if way == 'pmap':
    done = train(tmp_path, '--steps=1', '--parallel=pmap')
  else:
    done = train(tmp_path, '--steps=1', JAX_DISABLE_JIT='1')
  assert done.returncode == 0, done.stderr
  ours, theirs = (
    json.loads(metrics(place).splitlines()[0]) for place in (tmp_path, trained)
  )
  assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


@pytest.mark.scenario(21)
def test_divergence_is_not_cried_where_nothing_moves(tmp_path):
  rates = ('--gen_lr=1e-10', '--disc_lr=1e-10')
  done = train(tmp_path, '--steps=15', '--checkpoint_every=15', *rates)
  assert done.returncode == 0 and not done.stderr.strip()


@pytest.mark.scenario(21)
def test_what_diverged_is_kept_to_be_looked_at(tmp_path):
  rates = ('--gen_lr=1e30', '--disc_lr=1e-3')
  line = said(train(tmp_path, '--steps=99', *rates), 3)
  assert 'last good checkpoint' in line
  (path,) = tmp_path.glob('diverged_step_*.npz')
  with np.load(path) as dump:
    assert dump['batch'].dtype == np.uint8 and dump['seed'] == 0
    assert len(dump['names']) == len(dump['batch'])
    assert str(dump['names'][0]).endswith(('.png', '.jpg'))


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
    line = said(done, 2)
    assert str(empty) in line
    if count:
      assert '.png' in line
    # It has not compiled anything: that takes longer.
    assert time.monotonic() - begun < 20
    assert not (tmp_path / 'run' / 'metrics.jsonl').exists()


def chunk(kind, body):
  check = zlib.crc32(kind + body)
  return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', check)


def bomb(side, text=0):
  head = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
  data = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head)
  if text:
    data += chunk(b'zTXt', b'Comment\0\0' + zlib.compress(bytes(text), 9))
  return data + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')


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
  assert '3 of 4 images' in said(done, 4)
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
  float_tiff = [x for x in done.stdout.splitlines() if 'float.tif' in x]
  assert done.returncode == (4 if float_tiff else 0), done.stdout
  assert f'{count - len(float_tiff)} of {count}' in done.stdout
  # Eight ways to store one picture: one size, upright.
  assert '31x24' in done.stdout or done.returncode in (0, 4)


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
  assert '2 of 402 images' in said(done, 4)


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
  assert 'pipe.png: is a pipe' in listed


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
  assert '1 of 5 images' in said(done, 4) and 'broken.png: ' in done.stdout


@pytest.mark.scenario(32)
def test_a_mask_of_another_size_is_refused_or_resized(workdir, tmp_path):
  generator = np.random.default_rng(0)
  photo, mask = tmp_path / 'photo.png', tmp_path / 'mask.png'
  pixels = generator.integers(0, 255, (40, 48, 3), np.uint8)
  cv2.imwrite(str(photo), pixels)
  drawn = np.zeros((20, 24), np.uint8)
  drawn[10:12, 12:14] = 255
  cv2.imwrite(str(mask), drawn)
  flags = (
    f'--workdir={workdir}',
    f'--image={photo}',
    f'--mask={mask}',
    f'--output={tmp_path / "filled.png"}',
  )
  line = said(run('restore', *flags), 2)
  assert '24x20' in line and '48x40' in line and '--resize_mask' in line
  assert not (tmp_path / 'filled.png').exists()
  done = run('restore', *flags, '--resize_mask')
  assert done.returncode == 0, done.stderr
  filled = cv2.imread(str(tmp_path / 'filled.png'))
  missing = np.kron(drawn, np.ones((2, 2), np.uint8)) > 0
  np.testing.assert_array_equal(filled[~missing], pixels[~missing])
  assert (filled[missing] != pixels[missing]).any()


@pytest.mark.scenario(40)
@pytest.mark.parametrize(
  ('program', 'args', 'code', 'words'),
  [
    ('ssda', ('--stepps=3',), 1, ("'stepps'", '--steps?')),
    ('ssda', ('--steps=x',), 1, ('--steps=x',)),
    ('ssda', ('--steps=0',), 1, ('--steps=0', 'positive')),
    ('ssda', ('--dtype=float',), 1, ('--dtype=float', 'bfloat16')),
    ('evaluate', (), 1, ('--output is required',)),
    ('ssda', ('--flagfile=/no/such',), 1, ('/no/such',)),
    ('ssda', ('steps=3',), 1, ('steps=3', '--steps?')),
    ('ssda', ('--lr=nan',), 2, ('--lr=nan',)),
    ('ssda', ('--workdir=',), 2, ('--workdir=',)),
    ('ssda', ('--noise=text', '--sigma=20'), 2, ('--sigma',)),
    ('context_encoder', ('--mask=center', '--max_blocks=2'), 2, ('blocks',)),
    ('checkpoints', ('lst',), 1, ('list or verify',)),
  ],
)
def test_wrong_flags_are_told_in_one_line(tmp_path, program, args, code, words):
  place = () if program == 'evaluate' else (f'--workdir={tmp_path / "run"}',)
  begun = time.monotonic()
  line = said(run(program, *place, *args), code)
  assert time.monotonic() - begun < 20
  for word in words:
    assert word in line
  assert not (tmp_path / 'run').exists()


@pytest.mark.scenario(40)
def test_a_flag_file_with_an_unknown_flag_is_told(tmp_path):
  (tmp_path / 'a.flags').write_text('--steps=3\n--stepps=3\n')
  flags = (f'--flagfile={tmp_path / "a.flags"}', f'--workdir={tmp_path}')
  assert "'stepps'" in said(run('ssda', *flags), 1)


@pytest.mark.scenario(40)
def test_a_batch_that_does_not_divide_is_told(tmp_path):
  flag = '--xla_force_host_platform_device_count=3'
  args = ('--steps=1', '--parallel=jit', '--batch_size=4')
  line = said(train(tmp_path, *args, XLA_FLAGS=flag), 2)
  assert '--batch_size=4' in line and 'multiple of 3' in line


@pytest.mark.scenario(40)
@pytest.mark.parametrize('word', ['--help', '-h', '-?'])
def test_help_is_no_error_and_names_all(word):
  done = run('context_encoder', '--flagfile=/no/such', word)
  assert done.returncode == 0 and not done.stderr
  assert done.stdout.count('python -m experiments.context_encoder') >= 3
  for flag in ('--gen_lr', '--workdir', '--mask=', '--[no]debug', '--seed'):
    assert flag in done.stdout
