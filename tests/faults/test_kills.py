"""Killed a hundred times: no step lost, none torn, the same in the end."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from inpaintax.checkpoints import folder, manifest

KILLS = int(os.environ.get('KILLS', '100'))
TINY_FLAGS = pathlib.Path(__file__).parents[1] / 'experiments'
TINY = (
  f'--flagfile={TINY_FLAGS}/context_encoder_tiny.flags',
  '--adversarial_weight=0.5',
  '--log_every=1',
  '--checkpoint_every=1',
)
SSDA = (
  f'--flagfile={TINY_FLAGS}/ssda_tiny.flags',
  '--updates_per_call=1',
  '--log_every=1',
  '--checkpoint_every=1',
)
PROGRAMS = {'context_encoder': TINY, 'ssda': SSDA}


def start(name, workdir, steps):
  return subprocess.Popen(
    [sys.executable, '-m', f'experiments.{name}', *PROGRAMS[name]]
    + [f'--steps={steps}', f'--workdir={workdir}', f'--image_every={steps}'],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    env=os.environ,
  )


def sound(workdir):
  """The newest step that is complete, or 0."""
  place = folder.of(workdir)
  good = [n for n in folder.steps(place) if not manifest.fault(place / str(n))]
  assert good == folder.steps(place)  # None is there that is not.
  return max(good, default=0)


def arrays(workdir, step):
  with ocp.StandardCheckpointer() as reader:
    return jax.tree.leaves(
      reader.restore(folder.of(workdir) / str(step) / 'state')
    )


def first_step(process, output):
  """Reads on until the first step; what it is, or None."""
  for line in process.stdout:
    output.append(line)
    if line.startswith('step '):
      return int(line.split()[1].split('/')[0])
  return None


@pytest.mark.scenario(1)
@pytest.mark.parametrize('name', PROGRAMS)
def test_killed_at_random_points(tmp_path, name):
  generator = random.Random(0)
  steps = 12 * KILLS
  workdir, kills, resumed = tmp_path / 'killed', 0, 0
  while kills < KILLS:
    complete, output = sound(workdir), []
    # Some while they start.
    early = generator.uniform(0, 6) if generator.random() < 0.2 else 600
    with start(name, workdir, steps) as process:
      killer = threading.Timer(early, process.kill)
      killer.start()
      first = first_step(process, output)
      if first is not None:
        # No step is lost, no older one taken.
        assert first == complete + 1, ''.join(output)
        resumed += 1
        time.sleep(generator.uniform(0, 0.6))
      killer.cancel()
      process.kill()
      process.stdout.read()
    assert process.returncode == -signal.SIGKILL, ''.join(output)
    assert 'corrupt' not in ''.join(output)
    kills += 1
  assert resumed > 0.7 * kills
  print(f'{name}: {kills} kills, {sound(workdir)} of {steps} steps by then')
  assert sound(workdir) < steps
  for place in (workdir, tmp_path / 'whole'):
    with start(name, place, steps) as process:
      said = process.communicate()[0]
    assert process.returncode == 0, said
  ours, theirs = (
    arrays(place, steps) for place in (workdir, tmp_path / 'whole')
  )
  for one, other in zip(ours, theirs, strict=True):
    np.testing.assert_array_equal(one, other)
  logs = [
    (place / 'metrics.jsonl').read_bytes()
    for place in (workdir, tmp_path / 'whole')
  ]
  assert logs[0] == logs[1]
  assert not list(folder.of(workdir).glob('.*'))
