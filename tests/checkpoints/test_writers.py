"""One writer at a time, and one that dies."""

import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax import checkpoints

_OWNER = """
import sys, time
from inpaintax.checkpoints.lock import Lock
lock = Lock(sys.argv[1])
print('taken', flush=True)
time.sleep(60)
"""


@pytest.mark.scenario(12)
def test_a_workdir_has_one_writer_until_that_is_dead(tmp_path):
  owner = subprocess.Popen(
    [sys.executable, '-c', _OWNER, tmp_path], stdout=subprocess.PIPE, text=True
  )
  assert owner.stdout.readline() == 'taken\n'
  told = f'is in use by pid {owner.pid} on '
  with pytest.raises(ValueError, match=told):
    checkpoints.Checkpoints(str(tmp_path))
  owner.kill()
  owner.wait()
  owner.stdout.close()
  assert (tmp_path / 'lock').exists()
  with checkpoints.Checkpoints(str(tmp_path)):
    pass
  assert not pathlib.Path(tmp_path / 'lock').exists()


def test_within_a_process_too(tmp_path):
  with checkpoints.Checkpoints(str(tmp_path)):
    with pytest.raises(ValueError, match='is in use by pid'):
      checkpoints.Checkpoints(str(tmp_path))
  with checkpoints.Checkpoints(str(tmp_path)):
    pass


# Dies at a point of the second save, as a process that is killed does.
_DYING = """
import os, pathlib, shutil, signal, sys
import orbax.checkpoint as ocp
from jax import numpy as jnp
from inpaintax import checkpoints
from inpaintax.checkpoints import manifest
point, workdir = sys.argv[1:]
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write, rename = manifest.write, pathlib.Path.rename
def half(folder):
  write(folder)
  path = folder / manifest.NAME
  path.write_text(path.read_text()[:100])
  die()
def renamed(path, place):
  rename(path, place)
  die()
with checkpoints.Checkpoints(workdir) as saver:
  for step in (1, 2):
    state = {'w': jnp.arange(300.0) * step, 'b': {'c': jnp.int32(step)}}
    if step == 2:
      saver.wait()
      match point:
        case 'data':
          ocp.AsyncCheckpointer.wait_until_finished = die
        case 'before manifest':
          manifest.write = die
        case 'in manifest':
          manifest.write = half
        case 'before rename':
          pathlib.Path.rename = die
        case 'after rename':
          pathlib.Path.rename = renamed
    saver.save(step, state, record={}, position=step)
"""


@pytest.mark.scenario(2)
@pytest.mark.parametrize(
  ('point', 'step'),
  [
    ('data', 1),
    ('before manifest', 1),
    ('in manifest', 1),
    ('before rename', 1),
    ('after rename', 2),
  ],
)
def test_a_writer_that_is_killed_leaves_a_step_whole_or_none(
  tmp_path, point, step
):
  done = subprocess.run(
    [sys.executable, '-c', _DYING, point, tmp_path], check=False
  )
  assert done.returncode == -signal.SIGKILL
  like = {'w': jnp.zeros(300), 'b': {'c': jnp.int32(0)}}
  with checkpoints.Checkpoints(str(tmp_path)) as saver:
    saved = saver.restore(like, record={})
  assert saved.step == saved.position == step
  np.testing.assert_array_equal(saved.state['w'], np.arange(300.0) * step)
  left = sorted(path.name for path in (tmp_path / 'checkpoints').iterdir())
  assert left == [str(n) for n in range(1, step + 1)]
