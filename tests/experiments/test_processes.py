"""Two processes over loopback train as one does."""

import numpy as np
import pytest
from together import PROGRAMS, losses, start, start_two, wait


@pytest.mark.parametrize('name', PROGRAMS)
def test_two_processes_train_as_one(name, tmp_path):
  wait(start_two(name, tmp_path / 'two', '--steps=10'), 0)
  wait([start(name, tmp_path / 'one', '--steps=10')], 0)
  np.testing.assert_allclose(
    losses(tmp_path / 'two'), losses(tmp_path / 'one'), rtol=1e-4, atol=1e-5
  )
  for word in ('checkpoints', 'flags.txt', 'metrics.jsonl'):
    assert (tmp_path / 'two' / word).exists()
