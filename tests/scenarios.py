"""What was seen of each scenario of faults: `pytest --scenarios=FILE`.

Tests name theirs with `@pytest.mark.scenario(3, 5)`. Every program that such a
test starts is seen to: its exit code, and the last that it said.
"""

import pathlib
import re
import subprocess

TITLES = {
  1: '`kill -9` at random points of runs that save every step',
  2: '`kill -9` inside a save: data, manifest, before and after the rename',
  3: 'SIGTERM in a step',
  4: 'SIGTERM twice',
  5: 'Ctrl-C; SIGUSR1',
  6: 'SIGTERM to one of two processes',
  7: 'newest step halved, emptied, without its manifest',
  8: 'one bit flipped in the newest step',
  9: 'all steps damaged',
  10: 'the same command again; on a finished run',
  11: 'the same workdir, another model, or other flags',
  12: 'two programs on one workdir; the first one dies',
  13: 'disk full in a save',
  14: 'a workdir that cannot be written',
  15: 'a save that fails, then good ones',
  16: 'stopped and gone on with: bits of all arrays, metrics',
  17: 'stopped on 8 devices, gone on with on 1, 2, 4, and back',
  18: 'two runs of one seed, and of another',
  19: '1, 2, 4, 8 devices',
  20: 'jit, pmap, no compilation',
  21: 'a rate of 1e30, and one of 1e-10',
  22: 'a batch with a pixel that is no number',
  23: 'a batch too large',
  24: 'data missing, empty, without images',
  25: 'bad images among good ones',
  26: 'bombs: 12,000², 60,000², 100 MB of text',
  27: 'grey, transparent, palette, CMYK, 1 bit, 16 bit, float, animated',
  28: 'EXIF orientations 1 to 8',
  29: 'images smaller than the crop, 1×1, 1×5000',
  30: 'an image that vanishes in a run',
  31: 'names: no UTF-8, spaces, loops of links',
  32: 'a mask of another size',
  40: 'wrong flags; --help',
  41: 'each flag file; what it wrote replays the run',
}


class Observer:
  """A pytest plugin that writes the table."""

  def __init__(self, path: str):
    """Sees to all programs from now on.

    Args:
      path: of the table, Markdown.
    """
    self._path = pathlib.Path(path)
    self._item = None
    self._seen: dict[tuple[int, str], list[str]] = {}
    communicate = subprocess.Popen.communicate

    def watched(process, *args, **kwargs):
      said = communicate(process, *args, **kwargs)
      self._note(process.returncode, said[1] or said[0] or '')
      return said

    subprocess.Popen.communicate = watched

  def pytest_runtest_setup(self, item):
    """Programs started from now on are this test's."""
    self._item = item
    for key in self._keys():
      self._seen.setdefault(key, [])

  def pytest_runtest_logreport(self, report):
    """A test that failed has shown nothing."""
    if report.failed:
      for key in self._keys():
        self._seen[key] = ['FAILED']

  def pytest_sessionfinish(self):
    """Writes what there is."""
    lines = ['| | scenario | test | observed |', '| --- | --- | --- | --- |']
    for (number, test), seen in sorted(self._seen.items()):
      told = '<br>'.join(dict.fromkeys(seen)) or 'holds, within one process'
      lines.append(f'| {number} | {TITLES[number]} | `{test}` | {told} |')
    self._path.write_text('\n'.join(lines) + '\n')

  def _keys(self):
    marks = self._item.iter_markers('scenario')
    name = self._item.nodeid.split('[')[0].split('::')
    test = f'{pathlib.Path(name[0]).stem}::{name[-1]}'
    return {(number, test) for mark in marks for number in mark.args}

  def _note(self, code, said):
    if isinstance(said, bytes):
      said = said.decode(errors='replace')
    told = [x for x in said.splitlines() if x.startswith('inpaintax:')]
    line = f'{code}'
    if told:
      line += f' `{_plain(told[-1])}`'
    for key in self._keys():
      if len(self._seen[key]) < 12:
        self._seen[key].append(line)


def _plain(line):
  """Without what differs from run to run, and fit for a table."""
  line = line.removeprefix('inpaintax: ').replace('|', '/').replace('`', "'")
  line = re.sub(r'(/[\w.+-]+)*/pytest-\d+(/[\w.+-]+)', '/tmp', line)
  return line if len(line) < 300 else f'{line[:300]}…'
