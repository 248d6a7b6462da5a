r"""Writes a page on a run or a sweep: one HTML file that needs no network.

  python -m experiments.report --workdir=runs/first
  python -m experiments.report --workdir=runs/first --evaluation=runs/first/val
  python -m experiments.report --workdir=runs/weights --output=weights.html

Of a run: what was run, on what, its curves, its pictures from step to step, and
tables that `experiments.evaluate` has made. Of a sweep: who leads by how much,
what each flag does, the best beside the worst, what failed and what it cost.
"""

import pathlib

from absl import flags

from experiments import program

_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Workdir of a run, or of a sweep.', required=True
)
_EVALUATION = flags.DEFINE_list(
  'evaluation', [], 'Folders that experiments.evaluate has written, of a run.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'The page; default: report.html in the workdir.'
)


def main():
  """Reads what is there, writes the page."""
  program.need('report', ['jinja2', 'plotly'])
  from experiments.reports import page, runs, sweeps
  from experiments.sweeps import record
  from inpaintax.errors import InputError

  workdir = pathlib.Path(_WORKDIR.value)
  if not workdir.is_dir():
    raise InputError(f'--workdir={workdir}: no such folder.')
  output = pathlib.Path(_OUTPUT.value or workdir / 'report.html')
  sweep = record.load(workdir)
  if sweep is None:
    evaluations = [pathlib.Path(folder) for folder in _EVALUATION.value]
    text = page.render('run.html', runs.content(workdir, evaluations))
  else:
    program.refuse(['evaluation'], 'with the workdir of a sweep')
    text = page.render('sweep.html', sweeps.content(workdir, sweep))
  page.write(output, text)
  print(f'The page: {output.absolute()} ({len(text) / 2**20:.1f} MiB)')


if __name__ == '__main__':
  program.run(main)
