"""Pages on runs: what they say, that they need nothing, and refusals."""

import base64
import html
import json
import pathlib
import re

import pytest

TINY = pathlib.Path(__file__).with_name('context_encoder_tiny.flags')


@pytest.fixture(scope='module')
def run(tmp_path_factory, run_program):
  """A run that was gone on with, its evaluation, and the page on both."""
  workdir = tmp_path_factory.mktemp('report') / 'a<b>c'
  flags = (f'--flagfile={TINY}', f'--workdir={workdir}')
  flags += ('--val_data=photos:val', '--val_images=2', '--image_every=2')
  for steps in (2, 6):
    done = run_program('context_encoder', *flags, f'--steps={steps}')
    assert done.returncode == 0, done.stderr
  output = workdir / 'evaluation'
  done = run_program(
    'evaluate',
    f'--workdir={workdir}',
    '--data=photos:val',
    '--baselines=mean,telea',
    f'--output={output}',
  )
  assert done.returncode == 0, done.stderr
  done = run_program('report', f'--workdir={workdir}', f'--evaluation={output}')
  assert done.returncode == 0, done.stderr
  return workdir, (workdir / 'report.html').read_text()


def body(page):
  """What is ours of a page, without Plotly's code."""
  return page[page.index('<main>') :]


def test_sessions_say_when_and_on_what(run):
  workdir, _ = run
  lines = (workdir / 'sessions.jsonl').read_text().splitlines()
  begun, ended, again, end = map(json.loads, lines)
  assert [x['event'] for x in (begun, ended, again, end)] == [
    'begin',
    'end',
  ] * 2
  assert [x['step'] for x in (begun, ended, again, end)] == [0, 2, 2, 6]
  assert begun['program'] == 'experiments.context_encoder'
  assert begun['versions'].keys() >= {'jax', 'flax', 'python'}
  assert ended['seconds'] > 0 and again['devices'] == 1


def test_the_page_says_what_differs_from_the_program_s_own_flags(run):
  _, page = run
  differing = body(page).split('all flags')[0]
  for line in ('--model', '--width', '--val_data', '--steps'):
    assert f'<th>{line}</th>' in differing
  for line in ('--seed', '--beta1', '--fill'):  # Not given.
    assert f'<th>{line}</th>' not in differing
    assert line in body(page)
  assert 'Step 6 of 6' in page


def test_names_are_escaped_and_nothing_is_loaded(run):
  _, page = run
  assert html.escape('a<b>c') in body(page) and 'a<b>c' not in body(page)
  for address in re.findall(r'(?:src|href)="([^"]*)"', body(page)):
    assert address.startswith('data:'), address[:80]


def test_pictures_and_the_worst_images_are_in_the_page(run):
  workdir, page = run
  pictures = [workdir / 'images' / f'step_{n:08}.png' for n in (2, 4, 6)]
  pictures += [workdir / 'evaluation' / x for x in ('grid.png', 'worst.png')]
  for path in pictures:
    assert base64.b64encode(path.read_bytes()).decode() in page
  results = json.loads((workdir / 'evaluation' / 'results.json').read_text())
  lowest = min(results['worst'], key=lambda x: x['psnr_db'])
  assert results['worst'][0] == lowest and lowest['image'] in page


def test_the_table_has_the_evaluation_s_figures(run):
  workdir, page = run
  results = json.loads((workdir / 'evaluation' / 'results.json').read_text())
  for row in results['rows']:
    low, high = row['psnr_db_ci95']
    assert f'{row["psnr_db"]:.2f} [{low:.2f}, {high:.2f}]' in page


def test_a_run_from_before_sessions_has_a_page_too(tmp_path, run_program):
  (tmp_path / 'flags.txt').write_text('--steps=10\n--noprofile\n')
  (tmp_path / 'metrics.jsonl').write_text(
    '{"step": 2, "gen/rec": 0.5}\nnot a line\n{"step": 4, "gen/rec": NaN}\n'
  )
  done = run_program('report', f'--workdir={tmp_path}')
  assert done.returncode == 0, done.stderr
  assert 'Step 4 of 10' in (tmp_path / 'report.html').read_text()


def test_what_is_no_run_is_refused(tmp_path, refusals_of, run):
  workdir, _ = run
  (tmp_path / 'broken').mkdir()
  (tmp_path / 'broken' / 'sweep.json').write_text('{"program": 3')
  cases = [
    ([f'--workdir={tmp_path}/none'], 'no such folder'),
    ([f'--workdir={tmp_path}'], 'neither metrics.jsonl nor flags.txt'),
    ([f'--workdir={tmp_path}/broken'], 'sweep.json cannot be read'),
    ([f'--workdir={workdir}', f'--output={tmp_path}'], 'is no file'),
    (
      [f'--workdir={workdir}', f'--evaluation={tmp_path}'],
      'is no folder of experiments.evaluate',
    ),
  ]
  found = refusals_of('report', [flags for flags, _ in cases])
  for (flags, words), (error, said) in zip(cases, found, strict=True):
    assert error == 'InputError' and words in said, (flags, said)


def test_a_damaged_trial_costs_that_trial_alone(tmp_path, run_program):
  sweep = {
    'program': 'experiments.ssda',
    'flags': ['--steps=4'],
    'grid': {'beta1': ['0', '0.5', '0.9']},
    'search': {},
    'seeds': [],
    'metric': 'score',
    'mode': 'max',
  }
  (tmp_path / 'sweep.json').write_text(json.dumps(sweep))
  about = {
    'status': 'finished',
    'code': 0,
    'seconds': 2.0,
    'command': ['p', 'x'],
  }
  for value in ('0', '0.5', '0.9'):
    folder = tmp_path / 'trials' / f'beta1={value}'
    folder.mkdir(parents=True)
    text = json.dumps(about | {'flags': {'beta1': value}})
    (folder / 'trial.json').write_text(text)
    (folder / 'metrics.jsonl').write_text(
      f'{{"step": 4, "score": {1 + float(value)}, "other": "text"}}\n'
    )
  page = tmp_path / 'report.html'

  def report():
    done = run_program('report', f'--workdir={tmp_path}')
    assert done.returncode == 0, done.stderr
    return body(page.read_text())

  assert 'beta1=0.9 leads with score 1.9;' in report()
  last = tmp_path / 'trials' / 'beta1=0.9'
  for damage in (
    '{"status": "finished"}',
    '{"status": 3, "seconds": "x"}',
    '[',
  ):
    (last / 'trial.json').write_text(damage)
    assert 'beta1=0.5 leads with score 1.5;' in report()
  (tmp_path / 'trials' / 'beta1=0.5' / 'metrics.jsonl').write_bytes(
    b'{"step": 4, "score": "abc"}\n{"step": 4, "score": null}\n\xe8\xff\n'
  )
  assert 'beta1=0 leads with score 1.' in report()
