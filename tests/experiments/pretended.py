"""A program that trains nothing: a file for a checkpoint, a score by its flags.

For tests of sweeps: it starts in a moment, and says when and where it ran.
"""

import json
import os
import pathlib
import signal
import sys
import time

from absl import app, flags

_WORKDIR = flags.DEFINE_string('workdir', None, '', required=True)
_STEPS = flags.DEFINE_integer('steps', 4, '')
_SEED = flags.DEFINE_integer('seed', 0, '')
_RATE = flags.DEFINE_float('rate', 1.0, 'Its square is the score; 13 fails.')
_SLEEP = flags.DEFINE_float('sleep', 0.1, 'Seconds for a step.')
_PAIRS = flags.DEFINE_bool('pairs', False, 'Wait for another one to begin.')


def main(_):
  """Steps from where it stopped, a line of metrics and of events each."""
  workdir = pathlib.Path(_WORKDIR.value)
  saved, asked = workdir / 'saved', []
  step = int(saved.read_text()) if saved.exists() else 0
  signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))

  def tell(event):
    with (workdir / 'events.jsonl').open('a') as file:
      gpu = os.environ.get('CUDA_VISIBLE_DEVICES')
      cores = sorted(os.sched_getaffinity(0))
      line = {'event': event, 'time': time.time(), 'step': step}
      file.write(json.dumps(line | {'gpu': gpu, 'cores': cores}) + '\n')

  tell('begin')
  if _PAIRS.value:
    wait_for_another(workdir.parent)
  while step < _STEPS.value:
    time.sleep(_SLEEP.value)
    step += 1
    if _RATE.value == 13 and step == 2:
      print('rate 13 brings bad luck', file=sys.stderr)
      sys.exit(3)
    with (workdir / 'metrics.jsonl').open('a') as file:
      score = _RATE.value**2 + 0.01 * _SEED.value
      file.write(json.dumps({'step': step, 'score': score}) + '\n')
    saved.write_text(str(step))
    if asked:
      tell('stopped')
      sys.exit(143)
  tell('end')


def wait_for_another(trials):
  """Until an even number has begun: on a slow machine too, two run at once."""
  begun = lambda: len([*trials.glob('*/events.jsonl')])
  count, until = begun(), time.monotonic() + 60
  while begun() < count + count % 2:
    if time.monotonic() > until:
      sys.exit('no other trial has begun in a minute')
    time.sleep(0.01)


if __name__ == '__main__':
  app.run(main)
