"""The evaluation program from outside: files, rows, refusals."""

import json
import re
import shutil

from inpaintax import images


def test_a_model_stands_beside_baselines(run_program, tiny_workdir, tmp_path):
  flags = (f'--workdir={tiny_workdir}', '--baselines=telea,mean')
  done = run_program('evaluate', *flags, f'--output={tmp_path}')
  assert done.returncode == 0, done.stderr
  results = json.loads((tmp_path / 'results.json').read_text())
  assert results['n'] == 2 and results['data'] == 'photos:val'
  assert (results['size'], results['hole'], results['mask']) == (
    16,
    6,
    'center',
  )
  assert results['models'] == [
    {
      'method': 'model',
      'workdir': str(tiny_workdir),
      'step': 3,
      'trained_for': 'center',
    }
  ]
  assert results['command'].startswith('python -m experiments.evaluate --w')
  rows = {row['method']: row for row in results['rows']}
  assert list(rows) == ['model', 'telea', 'mean']
  # Untrained, so grey: no better than any.
  assert 0 < rows['model']['psnr_db'] < 20
  # Rows of 128 pixels: original, masked and three methods.
  assert images.read(tmp_path / 'grid.png').shape[0] == 5 * 132 + 4
  for text in ('telea', '2 images', str(tmp_path / 'grid.png')):
    assert text in done.stdout
  assert max(map(len, done.stdout.splitlines()[:-1])) <= 100


def test_two_models_are_called_after_their_workdirs(
  run_program, tiny_workdir, tmp_path
):
  twin = tmp_path / 'twin'
  shutil.copytree(tiny_workdir, twin)
  both = (f'--workdir={tiny_workdir}', f'--workdir={twin}', '--baselines=')
  done = run_program('evaluate', *both, f'--output={tmp_path / "out"}')
  assert done.returncode == 0, done.stderr
  one, two = json.loads((tmp_path / 'out/results.json').read_text())['rows']
  assert (one.pop('method'), two.pop('method')) == ('untrained', 'twin')
  assert one.pop('seconds_per_image') and two.pop('seconds_per_image')
  assert one == two


def test_baselines_alone_on_drawn_masks(run_program, tmp_path):
  flags = ('--size=32', '--mask=region', '--baselines=mean', '--limit=1')
  done = run_program('evaluate', *flags, f'--output={tmp_path}')
  assert done.returncode == 0, done.stderr
  results = json.loads((tmp_path / 'results.json').read_text())
  assert results['n'] == 1 and results['hole'] is None
  assert [row['method'] for row in results['rows']] == ['mean']
  # Another command may not write over it, unless it says so; the same may.
  again = [*flags, f'--output={tmp_path}']
  before = {path: path.read_bytes() for path in tmp_path.iterdir()}
  done = run_program('evaluate', *again, '--seed=1')
  assert done.returncode == 2
  assert re.search(
    r'results of another evaluation \(.*--limit=1.*--overwrite', done.stderr
  )
  assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
  done = run_program('evaluate', *again, '--seed=1', '--overwrite')
  assert done.returncode == 0, done.stderr
  assert json.loads((tmp_path / 'results.json').read_text())['seed'] == 1
  assert run_program('evaluate', *again, '--seed=1').returncode == 0


def test_text_may_have_been_saved_as_a_jpeg(run_program, tmp_path):
  flags = ('--noise=text', '--jpeg=90', '--baselines=median', '--limit=1')
  done = run_program('evaluate', *flags, f'--output={tmp_path}')
  assert done.returncode == 0, done.stderr
  assert json.loads((tmp_path / 'results.json').read_text())['jpeg'] == 90
  assert 'JPEGs of quality 90' in (tmp_path / 'results.md').read_text()


def test_what_cannot_be_measured_is_refused(
  refusals_of, tiny_workdir, tmp_path
):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'file').write_text('')
  (tmp_path / 'input').mkdir()
  nothing, tiny = f'folder:{tmp_path / "empty"}', f'--workdir={tiny_workdir}'
  cases = [
    (['--baselines=mean,magic'], '--baselines=.*telea.* not known: magic'),
    (['--baselines=mean,mean'], 'once at most'),
    (['--baselines='], 'give --workdir or --baselines'),
    (['--hole=8'], '--size is needed'),
    (['--size=32'], '--hole is needed'),
    (['--size=32', '--hole=7'], '--hole=7 .* 32x32'),
    (['--size=32', '--mask=star'], '--mask=star is not .*region'),
    (['--size=32', '--hole=8', '--mask=region'], '--hole has no meaning'),
    (['--size=32', '--hole=8', '--jpeg=90'], '--jpeg has no meaning'),
    (['--noise=gaussian', '--jpeg=90'], '--jpeg .*without --noise=text'),
    (['--size=32', '--hole=8', f'--data={nothing}'], r'empty.*\.png'),
    (['--size=20', tiny], '--size: .*not agree .*model: 16'),
    (['--mask=region', tiny], 'model fills only the 6x6 .*--mask=center'),
    ([tiny, tiny], '--workdir: .*must differ'),
    ([tiny, f'--workdir={tmp_path / "input"}'], 'must differ .*from input'),
    ([tiny, f'--output={tmp_path / "file"}'], '--output=.*file'),
  ]
  unusable = [
    ([f'--workdir={tmp_path / "none"}'], 'none: no such folder'),
    ([f'--workdir={tmp_path / "empty"}'], 'no checkpoints in .*empty'),
  ]
  output = f'--output={tmp_path / "out"}'
  found = refusals_of(
    'evaluate', [[output, *flags] for flags, _ in cases + unusable]
  )
  kinds = [kind for kind, _ in found]
  assert kinds == ['InputError'] * len(cases) + ['CheckpointError'] * 2
  for (flags, words), (_, message) in zip(cases + unusable, found, strict=True):
    assert re.search(words, message), (flags, message)


def test_a_refusal_is_one_line_and_a_code(run_program, tmp_path):
  done = run_program('evaluate', '--size=32', f'--output={tmp_path}')
  assert done.returncode == 2, done.stderr
  last = done.stderr.splitlines()[-1]
  assert last.startswith('inpaintax: --hole is needed')
  assert 'Traceback' not in done.stderr
