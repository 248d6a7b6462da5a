"""What every program does to its process."""

import os
import platform
import subprocess
import sys

import jax
import pytest

# Touches 64 MiB that have just been given back, from a thread like XLA's, and
# prints how many of its 16,384 pages the kernel had to hand out anew.
_PAGES = """
import ctypes, resource, sys, threading
from experiments import program
if sys.argv[1] == 'kept':
  program.keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
size = 64 * 2**20
def touch():
  place = libc.malloc(size)
  libc.memset(place, 1, size)
  libc.free(place)
def work():
  touch()
  before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
  touch()
  print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


# Says how many bytes lie in gaps between blocks in use, before and after, and
# whether what is in use still has its contents.
_GAPS = """
import ctypes
from experiments import program
program.keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.argtypes = [ctypes.c_size_t]
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
class Info(ctypes.Structure):
  _fields_ = [(name, ctypes.c_size_t) for name in 'abcdefghij']
libc.mallinfo2.restype = Info
sizes = [2**12 + 1000 * (i % 97) for i in range(4000)]
places = [libc.malloc(size) for size in sizes]
for place, size in zip(places, sizes):
  ctypes.memset(place, 7, size)
for place in places[::2]:
  libc.free(place)
print(libc.mallinfo2().i)
program.settle_memory()
print(libc.mallinfo2().i)
print(all(ctypes.string_at(place, size) == bytes([7]) * size
          for place, size in zip(places[1::2], sizes[1::2])))
"""


# A program that says much, and whose file is what it is for.
_TALKER = """
import pathlib, sys
from experiments import program
def main():
  for i in range(10_000):
    print(f'line {i}')
    print(f'line {i}', file=sys.stderr)
  pathlib.Path('done').write_text('')
program.run(main)
"""


@pytest.mark.parametrize('flag', ['--debug', '--help'])
def test_a_program_outlasts_what_reads_it(tmp_path, flag):
  with subprocess.Popen(
    [sys.executable, '-c', _TALKER, flag],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    cwd=tmp_path,
    env=os.environ | {'PYTHONPATH': os.getcwd()},
  ) as running:
    running.stdout.close()
    if flag == '--debug':
      running.stderr.close()
      said = b''
    else:
      said = running.stderr.read()
    assert running.wait() == 0 and not said
  assert (tmp_path / 'done').exists() == (flag == '--debug')


@pytest.mark.parametrize('platforms', ['cuda', 'no_such'])
def test_a_device_that_is_not_here_is_told(tmp_path, platforms):
  if platforms == 'cuda' and jax.default_backend() == 'gpu':
    pytest.skip('it is here')
  done = subprocess.run(
    [
      sys.executable,
      *('-m', 'experiments.ssda', '--steps=500'),
      f'--workdir={tmp_path / "run"}',
    ],
    capture_output=True,
    text=True,
    check=False,
    env=os.environ | {'JAX_PLATFORMS': platforms},
  )
  last = done.stderr.strip().splitlines()[-1]
  assert done.returncode == 2, done.stderr
  assert last.startswith(f'inpaintax: JAX_PLATFORMS={platforms}: ')


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='glibc only')
def test_memory_that_was_given_back_is_kept():
  def pages(how):
    done = subprocess.run(
      [sys.executable, '-c', _PAGES, how],
      capture_output=True,
      text=True,
      check=True,
    )
    return int(done.stdout)

  # Of 4 KiB or of 2 MiB each: that is the kernel's choice.
  assert pages('kept') < 16 < pages('not kept')


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='glibc only')
def test_gaps_in_memory_are_taken_and_what_is_in_use_stays():
  done = subprocess.run(
    [sys.executable, '-c', _GAPS], capture_output=True, text=True, check=True
  )
  before, after, kept = done.stdout.split()
  assert int(before) > 90e6
  assert int(after) < 10e6
  assert kept == 'True'


def test_a_flag_file_may_say_what_the_command_line_makes_meaningless(
  tmp_path, run_program
):
  file = tmp_path / 'blocks.flags'
  file.write_text('--mask=blocks\n--max_blocks=2\n--size=32\n--count=2\n')
  begin = ('masks', f'--flagfile={file}', '--mask=region')
  done = run_program(*begin, f'--output={tmp_path}/new')
  assert done.returncode == 0, done.stderr
  assert len([*(tmp_path / 'new').glob('*.png')]) == 2
  done = run_program(*begin, f'--output={tmp_path}/other', '--max_blocks=3')
  assert done.returncode == 2
  assert '--max_blocks has no meaning with --mask=region' in done.stderr
