"""A sweep as a user runs it, of a program that takes no time to start."""

import pytest
from sweeping import HERE, events, sweep, trials

from experiments.sweeps import plan, record


def at_once(spans):
  """How many spans of time hold one moment, at most."""
  return max(
    sum(begin <= moment < end for begin, end in spans) for moment, _ in spans
  )


@pytest.fixture(scope='module')
def twelve(tmp_path_factory):
  """Twelve trials on two cores and two GPUs, which are numbers alone."""
  workdir = tmp_path_factory.mktemp('sweep') / 'twelve'
  flags = ('--grid=rate=1,2', '--grid=sleep=0.1,0.05', '--seeds=0,1,2')
  flags += ('--gpus=2', '--gpus_per_trial=1', '--trial_flags=--pairs')
  return workdir, flags, sweep(workdir, *flags)


def test_every_trial_runs_once_as_many_at_once_as_there_is_room(twelve):
  workdir, _, said = twelve
  every = events(workdir)
  assert len(every) == 12
  assert all(
    [e['event'] for e in x] == ['begin', 'end'] for x in every.values()
  )
  spans = [(x[0]['time'], x[1]['time']) for x in every.values()]
  assert at_once(spans) == 2
  assert '12 of 12 trials finished' in said


def test_no_gpu_has_two_trials(twelve):
  workdir, _, _ = twelve
  for gpu in ('0', '1'):
    spans = [
      (x[0]['time'], x[1]['time'])
      for x in events(workdir).values()
      if x[0]['gpu'] == gpu
    ]
    assert len(spans) >= 2 and at_once(spans) == 1


def test_the_board_has_means_over_seeds(twelve):
  workdir, _, _ = twelve
  board = record.leaderboard(trials(workdir), record.load(workdir))
  assert len(board) == 4
  assert board[0].mean == pytest.approx(4.01)  # 2^2 + the mean of 0, .01, .02
  # Student's t with two degrees of freedom: 4.303 times .01 / sqrt(3).
  assert board[0].margin == pytest.approx(4.302653 * 0.01 / 3**0.5, rel=1e-4)
  assert board[-1].mean == pytest.approx(1.01)


def test_the_same_command_again_runs_nothing(twelve):
  workdir, flags, _ = twelve
  before = events(workdir)
  assert 'All 12 trials have finished' in sweep(workdir, *flags)
  assert events(workdir) == before


def test_the_page_needs_no_network(twelve):
  workdir, _, _ = twelve
  text = (workdir / 'report.html').read_text()
  ours = text[text.rindex('</style>') :]
  ours = ours[ours.index('<main>') :]
  for word in ('src="http', 'href="http', 'url(', '@import', '<link'):
    assert word not in ours
  assert 'rate=2 sleep=0.1' in ours and '12' in ours


def test_a_metric_that_no_trial_has_is_told_and_can_be_corrected(tmp_path):
  flags = ('--grid=rate=1,2', '--trial_flags=--pairs')
  said = sweep(tmp_path, *flags, '--metric=none', code=2)
  assert '--metric=none: no trial has it. They have score.' in said
  before = events(tmp_path)
  said = sweep(tmp_path, *flags)
  assert 'All 2 trials have finished' in said
  assert events(tmp_path) == before
  assert record.load(tmp_path).metric == 'score'


def test_another_sweep_in_the_same_folder_is_refused(twelve):
  workdir, flags, _ = twelve
  said = sweep(workdir, *flags, '--trial_flags=--steps=7', code=2)
  assert 'has a sweep with another --trial_flags: there nothing else' in (
    said.replace("'nothing else'", 'nothing else')
  )


def test_a_trial_that_fails_does_not_stop_the_others(tmp_path):
  said = sweep(tmp_path, '--grid=rate=1,13,2', code=4)
  last = said.strip().splitlines()[-1]
  assert last.startswith('inpaintax: 1 of 3 trials failed: rate=13.')
  found = {trial.name: trial for trial in trials(tmp_path)}
  assert found['rate=13'].code == 3
  assert {found[x].status for x in ('rate=1', 'rate=2')} == {'finished'}
  page = (tmp_path / 'report.html').read_text()
  assert 'rate 13 brings bad luck' in page


REFUSED = [
  (
    ['--grid=rade=1,2'],
    "pretended --rade=1: Unknown command line flag 'rade'",
  ),
  (['--grid=rate=1,x'], 'flag --rate=x'),
  (['--grid=rate=1,1'], 'give each value once'),
  (['--grid=rate'], 'use NAME='),
  (['--grid=rate=1,1.0'], 'two trials would be the same: --rate=1 and'),
  (['--grid=rate=1,nan'], '--rate=nan is not a number'),
  (['--seeds=1,01'], 'give each value once'),
  (['--seeds=1', "--trial_flags='x"], '--trial_flags: No closing quotation'),
  (['--seeds=1', '--trial_flags=--restart'], '--restart is not for trials'),
  (['--seeds=1', '--trial_flags=--help'], '--help is not for trials'),
  (['--grid=workdir=a,b'], '--workdir cannot differ'),
  (['--grid=seed=1,2'], 'use --seeds'),
  (['--search=rate=log:0:1'], 'LOW below HIGH (above 0 for log)'),
  (['--search=rate=lin:1:2', '--seeds=0,1'], 'a --search has one'),
  (['--search=rate=lin:1:2', '--grid=steps=1,2'], 'use one'),
  (['--seeds=0,-1'], 'whole numbers'),
  ([], 'nothing to compare'),
  (['--seeds=0', '--program=json'], "Unknown command line flag 'seed'"),
  (['--seeds=0', '--program=no.such'], '--program=no.such cannot be used'),
  (['--seeds=0', '--trials=3'], '--trials has no meaning without --search'),
]


def test_what_cannot_run_is_refused_before_anything_starts(
  tmp_path, refusals_of, monkeypatch
):
  monkeypatch.setenv('PYTHONPATH', str(HERE))
  begin = ['--program=pretended', '--metric=score', f'--workdir={tmp_path}/new']
  found = refusals_of('sweep', [[*begin, *flags] for flags, _ in REFUSED])
  for (flags, words), (error, said) in zip(REFUSED, found, strict=True):
    assert error == 'InputError' and words in said, (flags, said)
  assert not [*tmp_path.glob('new/*')]


def test_a_workdir_that_is_a_file_is_refused(tmp_path):
  (tmp_path / 'file').write_text('mine')
  said = sweep(tmp_path / 'file', '--seeds=0', code=2)
  assert said.strip().splitlines()[-1].startswith('inpaintax: --workdir=')
  assert (tmp_path / 'file').read_text() == 'mine'


def test_a_trial_that_there_is_no_room_for_is_refused(tmp_path):
  said = sweep(tmp_path, '--seeds=0', '--gpus_per_trial=1', '--gpus=0', code=2)
  assert 'and there are 2 and 0' in said
  assert not [*tmp_path.glob('trials/*')]


def test_a_dry_run_prints_commands_alone(tmp_path):
  said = sweep(
    tmp_path / 'new',
    '--grid=rate=1,2',
    '--seeds=0,1',
    '--trial_flags=--steps=3',
    '--dry_run',
  )
  assert len(said.splitlines()) == 4 and not (tmp_path / 'new').exists()
  name = plan.trial_name({'rate': '1', 'seed': '0'})
  assert said.splitlines()[0] == (
    'python -m pretended --steps=3 --rate=1 --seed=0'
    f' --workdir={tmp_path}/new/trials/{name}'
  )
