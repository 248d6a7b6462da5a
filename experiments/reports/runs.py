"""What a page on one run shows: its flags, curves, pictures, evaluations."""

import itertools
import json
import pathlib
import re
from typing import Any

from experiments.reports import charts, page
from experiments.sweeps import process, resolve
from inpaintax.errors import InputError

# Pictures at so many steps, the first and the last among them.
_STEPS = 9
# Curves that belong in one chart: (title, names of metrics).
_CHARTS = (
  ('PSNR on validation images, dB', ('val/psnr_db',)),
  (
    'Mean L1 and L2 on validation images, %',
    ('val/l1_percent', 'val/l2_percent'),
  ),
  ("Sharpness, divided by the original's", ('val/sharpness',)),
  ('Reconstruction loss', ('gen/rec',)),
  ('Adversarial losses', ('gen/adv', 'disc/loss')),
  ('Share that D tells apart', ('disc/real', 'disc/fake')),
)


def content(
  workdir: pathlib.Path, evaluations: list[pathlib.Path]
) -> dict[str, Any]:
  """What the template `run.html` shows.

  Args:
    workdir: of the run.
    evaluations: folders that `experiments.evaluate` has written.

  Returns:
    Texts, numbers and pieces of HTML.

  Raises:
    InputError: a folder is not what it is said to be.
  """
  lines = process.metrics(workdir)
  flag_lines = _flags(workdir)
  if not lines and not flag_lines:
    raise InputError(
      f'--workdir={workdir} has neither metrics.jsonl nor flags.txt: give the'
      ' workdir of a run, or of a sweep.'
    )
  sessions = _sessions(workdir)
  meaning = _meaning(sessions, flag_lines)
  flags = {name: value for name, value, _ in meaning}
  return {
    'title': workdir.absolute().name,
    'step': lines[-1]['step'] if lines else 0,
    'steps': _whole(flags.get('steps')),
    'last': _last(lines),
    'flags': meaning,
    'facts': _facts(workdir, sessions, flags),
    'charts': curves_of(lines),
    'pictures': pictures(workdir),
    'evaluations': [_evaluation(folder) for folder in evaluations],
  }


def _flags(workdir):
  """The lines of flags.txt."""
  try:
    text = (workdir / 'flags.txt').read_text(errors='replace')
  except OSError:
    return []
  return [line for line in text.splitlines() if line.startswith('--')]


def _sessions(workdir):
  """sessions.jsonl; a line that was cut off is left out."""
  found = []
  try:
    text = (workdir / 'sessions.jsonl').read_text(errors='replace')
  except OSError:
    return []
  for line in text.splitlines():
    try:
      one = json.loads(line)
      # What is used of a line.
      [
        one['event'],
        one['time'],
        int(one['step']),
        one.get('versions', {}).items(),
      ]
      float(one.get('seconds', 0))
    except (ValueError, KeyError, TypeError, AttributeError):
      continue
    found.append(one)
  return found


def _meaning(sessions, lines):
  """(name, value, whether it is not the default) of each flag."""
  programs = [one['program'] for one in sessions if one.get('program')]
  if programs:
    try:
      (found,) = resolve.resolve(programs[-1], [lines])
      if 'error' not in found:
        return [
          (n, v, n in found['changed']) for n, v in found['flags'].items()
        ]
    except InputError:
      pass  # A program of another version: its flags as they stand.
  pairs = [line.removeprefix('--').partition('=') for line in lines]
  return [(name, value, False) for name, _, value in pairs]


def _facts(workdir, sessions, flags):
  """When, where, with what: (what, text)."""
  begun = [one for one in sessions if one.get('event') == 'begin']
  ended = [one for one in sessions if one.get('event') == 'end']
  facts = [('folder', str(workdir.absolute()))]
  if not begun:
    return facts
  facts += [
    ('program', begun[-1].get('program')),
    ('begun', begun[0].get('time')),
    ('starts', str(len(begun))),
    *_surroundings(begun[-1]),
  ]
  seconds = sum(one.get('seconds', 0) for one in ended)
  if seconds:
    facts.append(('time', page.duration(seconds)))
  rate = _rate(sessions, _whole(flags.get('batch_size')))
  if rate:
    facts.append(('speed', f'{rate:.0f} images a second, all included'))
  return facts


def _surroundings(begin):
  """With what and on what a run was begun."""
  versions = begin.get('versions', {})
  return [
    ('commit', begin.get('commit') or 'no repository'),
    ('device', f'{begin.get("devices")} × {begin.get("device")}'),
    ('processor', f'{begin.get("processor")}, {begin.get("cores")} cores'),
    ('versions', ', '.join(f'{name} {x}' for name, x in versions.items())),
  ]


def surroundings(workdir: pathlib.Path) -> list[tuple[str, str]]:
  """With what and on what a run was begun.

  Args:
    workdir: of the run.

  Returns:
    (what, text): commit, device, processor, versions, of its last start;
    nothing if that is not known.
  """
  begun = [one for one in _sessions(workdir) if one['event'] == 'begin']
  return _surroundings(begun[-1]) if begun else []


def _rate(sessions, batch_size):
  """Images a second over the starts that came to an end."""
  images = seconds = 0.0
  for begin, end in itertools.pairwise(sessions):
    if (begin.get('event'), end.get('event')) == ('begin', 'end'):
      images += (end['step'] - begin['step']) * batch_size
      seconds += end.get('seconds', 0)
  return images / seconds if seconds else 0.0


def batch_size(workdir: pathlib.Path) -> int:
  """Images of an update.

  Args:
    workdir: of a run.

  Returns:
    Their number; 0 if it is not known.
  """
  pairs = (line.partition('=') for line in _flags(workdir))
  return _whole({x: y for x, _, y in pairs}.get('--batch_size'))


def _whole(text):
  """A whole number; 0 for what is none."""
  return int(text) if text and text.isdecimal() else 0


def _last(lines):
  """The last validation figures: (name, text)."""
  found = [line for line in lines if any(k.startswith('val/') for k in line)]
  if not found:
    return []
  return [
    (name, f'{value:.4g}')
    for name, value in found[-1].items()
    if name != 'step' and isinstance(value, int | float)
  ]


def curves_of(lines: list[dict[str, Any]]) -> list[str]:
  """Charts of a run's metrics.

  Args:
    lines: of metrics.jsonl.

  Returns:
    Pieces of HTML.
  """
  drawn = []
  known = {name for line in lines for name in line} - {'step'}
  groups = [*_CHARTS]
  named = {name for _, names in groups for name in names}
  groups += [
    (name, (name,))
    for name in sorted(known - named)
    if any(line.get(name) for line in lines)  # Not what is always 0.
  ]
  for title, names in groups:
    curves = []
    for name in names:
      points = [
        (x['step'], x[name])
        for x in lines
        if isinstance(x.get(name), int | float)
      ]
      if points:
        steps, values = zip(*points, strict=True)
        curves.append((name, steps, values))
    if curves:
      drawn.append(charts.curves(title, curves))
  return drawn


def pictures(workdir: pathlib.Path) -> list[tuple[int, str]]:
  """What the run has drawn of its validation images.

  Args:
    workdir: of the run.

  Returns:
    (step, picture) of several steps, in order.
  """
  found = []
  for path in (workdir / 'images').glob('step_*.png'):
    if number := re.fullmatch(r'step_(\d+)\.png', path.name):
      found.append((int(number[1]), path))
  found.sort()
  if len(found) > _STEPS:
    places = {round(n * (len(found) - 1) / (_STEPS - 1)) for n in range(_STEPS)}
    found = [found[place] for place in sorted(places)]
  return [(step, page.picture(path)) for step, path in found]


def _evaluation(folder):
  """A table of `experiments.evaluate`, its grid, and the worst images."""
  from inpaintax.evaluate import reports

  try:
    results = json.loads((folder / 'results.json').read_text())
    rows = results['rows']
    headings = reports.headings(rows[0])
    cells = [reports.cells(row) for row in rows]
    worst = [
      (x['image'], float(x['psnr_db'])) for x in results.get('worst', [])
    ]
    count = int(results['n'])
  except OSError as error:
    raise InputError(
      f'--evaluation={folder} is no folder of experiments.evaluate:'
      f' results.json: {error.strerror}.'
    ) from error
  except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
    raise InputError(
      f'--evaluation={folder}: results.json is not of experiments.evaluate, or'
      f' damaged ({type(error).__name__}: {error}). Evaluate again.'
    ) from error
  names = {path.name: path for path in folder.glob('*.png')}
  return {
    'name': folder.absolute().name,
    'headings': headings,
    'cells': cells,
    'n': count,
    'command': results.get('command', ''),
    'grid': page.picture(names['grid.png']) if 'grid.png' in names else None,
    'worst': worst,
    'worst_picture': (
      page.picture(names['worst.png']) if 'worst.png' in names else None
    ),
  }
