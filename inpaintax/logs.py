"""What a run says of itself: metrics.jsonl, TensorBoard, the terminal."""

import datetime
import json
import math
import pathlib
import sys
import time

import numpy as np
import rich.console
import rich.progress

from inpaintax import atomic
from inpaintax.errors import InputError

# It imports PyTorch wherever that is installed, which takes two seconds and is
# of no use here.
_hidden = 'torch' not in sys.modules
if _hidden:
  sys.modules['torch'] = None  # type: ignore[assignment]
try:
  import tensorboardX
finally:
  if _hidden:
    del sys.modules['torch']


class Log:
  """Writes the metrics of one run.

  `metrics.jsonl` has one object a line, `{"step": …, name: value, …}`, and no
  times, so that an interrupted and resumed run writes the same file as an
  uninterrupted one. Speed goes to the terminal and to TensorBoard.
  """

  def __init__(self, workdir: str, *, step: int, steps: int, batch_size: int):
    """Opens the logs.

    Args:
      workdir: of the run; made if it is not there.
      step: updates done; lines of later ones, written before an interruption
        and not part of the resumed state, are dropped.
      steps: updates wanted in all.
      batch_size: images of one update.
    """
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'metrics.jsonl'
    _keep_until(path, step)
    self._file = path.open('a')
    # TensorBoard then hides what was written of later steps.
    purge = step + 1 if step else None
    self._board = tensorboardX.SummaryWriter(str(folder), purge_step=purge)
    self._batch_size = batch_size
    self._steps = steps
    self._mark = (step, time.monotonic())
    self._console = rich.console.Console()
    self._progress, self._task = None, rich.progress.TaskID(0)
    if self._console.is_terminal:
      self._progress = rich.progress.Progress(
        rich.progress.MofNCompleteColumn(),
        rich.progress.BarColumn(),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn('{task.description}'),
        console=self._console,
      )
      self._task = self._progress.add_task('', total=steps, completed=step)
      self._progress.start()

  def __enter__(self) -> 'Log':
    return self

  def __exit__(self, *_: object) -> None:
    if self._progress is not None:
      self._progress.stop()
    self._file.close()
    self._board.close()

  def write(self, step: int, values: dict[str, float]) -> None:
    """Writes metrics to the file and to TensorBoard.

    Args:
      step: updates done.
      values: numbers by name.
    """
    values = {name: float(value) for name, value in values.items()}
    line = {
      name: value if math.isfinite(value) else None
      for name, value in values.items()
    }
    self._file.write(json.dumps({'step': step, **line}) + '\n')
    self._file.flush()
    for name, value in values.items():
      self._board.add_scalar(name, value, step)

  def image(self, step: int, name: str, image: np.ndarray) -> None:
    """Shows a picture in TensorBoard.

    Args:
      step: updates done.
      name: its title.
      image: uint8 `[H, W, 3]`.
    """
    self._board.add_image(name, image, step, dataformats='HWC')

  def say(self, step: int, values: dict[str, float]) -> None:
    """Tells the terminal how far the run is, and how fast it goes.

    Args:
      step: updates done.
      values: numbers to show.
    """
    before, then = self._mark
    self._mark = step, time.monotonic()
    rate = (step - before) / max(self._mark[1] - then, 1e-9)
    self._board.add_scalar(
      'speed/images_per_second', rate * self._batch_size, step
    )
    numbers = ' '.join(f'{name} {float(v):.4g}' for name, v in values.items())
    speed = f'{rate:.2f} step/s {rate * self._batch_size:.0f} images/s'
    if self._progress is not None:
      self._progress.update(
        self._task, completed=step, description=f'{speed} {numbers}'
      )
      return
    left = (self._steps - step) / max(rate, 1e-9)
    clock = datetime.timedelta(seconds=round(left))
    print(f'step {step}/{self._steps} {speed} left {clock} {numbers}')
    sys.stdout.flush()


class Silence:
  """A log that writes nothing: of all processes of a training but the first."""

  def __enter__(self) -> 'Silence':
    return self

  def __exit__(self, *_: object) -> None:
    pass

  def write(self, step: int, values: dict[str, float]) -> None:
    """Takes what `Log.write` does.

    Args:
      step: updates done.
      values: numbers by name.
    """

  def image(self, step: int, name: str, image: np.ndarray) -> None:
    """Takes what `Log.image` does.

    Args:
      step: updates done.
      name: its title.
      image: uint8 `[H, W, 3]`.
    """

  def say(self, step: int, values: dict[str, float]) -> None:
    """Takes what `Log.say` does.

    Args:
      step: updates done.
      values: numbers to show.
    """


def _keep_until(path: pathlib.Path, step: int) -> None:
  """Drops the lines of steps after `step`, and a torn last one.

  Raises:
    InputError: another line is none of metrics.
  """
  if not path.exists():
    return
  kept = []
  for number, line in enumerate(
    path.read_text(errors='replace').splitlines(keepends=True), 1
  ):
    if not line.endswith('\n'):  # Only the last may be.
      break
    try:
      written = json.loads(line)['step']
    except (ValueError, KeyError, TypeError) as error:
      raise InputError(
        f'{path}, line {number} is no line of metrics: mend it, or move the'
        ' file away.'
      ) from error
    if written <= step:
      kept.append(line)
  atomic.write_text(path, ''.join(kept))
