"""What flags may not be, from outside; and --help."""

import time

import pytest
from programs import last_line, run, train


@pytest.mark.scenario(40)
@pytest.mark.parametrize(
  ('program', 'args', 'code', 'words'),
  [
    ('ssda', ('--stepps=3',), 1, ("'stepps'", '--steps?')),
    ('ssda', ('--steps=x',), 1, ('--steps=x',)),
    ('ssda', ('--steps=0',), 1, ('--steps=0', 'range [1, ')),
    ('ssda', ('--dtype=float',), 1, ('--dtype=float', 'bfloat16')),
    ('evaluate', (), 1, ('--output is required',)),
    ('ssda', ('--flagfile=/no/such',), 1, ('/no/such',)),
    ('ssda', ('steps=3',), 1, ('steps=3', '--steps?')),
    ('ssda', ('--lr=nan',), 2, ('--lr=nan',)),
    ('ssda', ('--workdir=',), 2, ('--workdir=',)),
    ('ssda', ('--noise=text', '--sigma=20'), 2, ('--sigma',)),
    ('context_encoder', ('--mask=center', '--max_blocks=2'), 2, ('blocks',)),
    ('checkpoints', ('lst',), 1, ('list or verify',)),
  ],
)
def test_wrong_flags_are_told_in_one_line(tmp_path, program, args, code, words):
  place = () if program == 'evaluate' else (f'--workdir={tmp_path / "run"}',)
  begun = time.monotonic()
  line = last_line(run(program, *place, *args), code)
  assert time.monotonic() - begun < 20
  for word in words:
    assert word in line
  assert not (tmp_path / 'run').exists()


@pytest.mark.scenario(40)
def test_a_flag_file_with_an_unknown_flag_is_told(tmp_path):
  (tmp_path / 'a.flags').write_text('--steps=3\n--stepps=3\n')
  flags = (f'--flagfile={tmp_path / "a.flags"}', f'--workdir={tmp_path}')
  assert "'stepps'" in last_line(run('ssda', *flags), 1)


@pytest.mark.scenario(40)
def test_a_batch_that_does_not_divide_is_told(tmp_path):
  flag = '--xla_force_host_platform_device_count=3'
  args = ('--steps=1', '--parallel=jit', '--batch_size=4')
  line = last_line(train(tmp_path, *args, XLA_FLAGS=flag), 2)
  assert '--batch_size=4' in line and 'multiple of 3' in line


@pytest.mark.scenario(40)
@pytest.mark.parametrize('word', ['--help', '-h', '-?'])
def test_help_is_no_error_and_names_all(word):
  done = run('context_encoder', '--flagfile=/no/such', word)
  assert done.returncode == 0 and not done.stderr
  assert done.stdout.count('python -m experiments.context_encoder') >= 3
  for flag in ('--gen_lr', '--workdir', '--mask=', '--[no]debug', '--seed'):
    assert flag in done.stdout
