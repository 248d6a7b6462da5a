"""What every program does to its process."""

import platform
import subprocess
import sys

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
