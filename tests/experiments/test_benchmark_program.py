"""What measures speed, measured: no time is looked at here."""

import numpy as np
import pytest

from experiments.benchmarks import growth, inputs, scaling, timing
from inpaintax.data import sources


def test_sides_take_turns():
  order = []
  sides = [
    timing.Side(name, lambda name=name: order.append(name), 1) for name in 'ab'
  ]
  found = timing.interleaved(sides, rounds=3, warmups=2)
  assert ''.join(order) == 'ab' * 5
  assert {name: len(taken) for name, taken in found.items()} == {'a': 3, 'b': 3}


def test_a_side_may_say_itself_what_counts():
  (taken,) = timing.interleaved(
    [timing.Side('a', lambda: 2.5, 1)], rounds=2, warmups=0
  ).values()
  assert taken == [2.5, 2.5]
  # What else a side returns is its own affair.
  (taken,) = timing.interleaved(
    [timing.Side('a', lambda: np.ones(3), 1)], rounds=1, warmups=0
  ).values()
  assert isinstance(taken[0], float)


def test_ratios_are_of_the_same_turn():
  product, half = 'float32 product', 'bfloat16 product'
  sides = [
    timing.Side('ours', lambda: None, 10, 3e9),
    timing.Side('peer', lambda: None, 10, 3e9),
    timing.Side(product, lambda: None, 1, 8e9),
    timing.Side(half, lambda: None, 1, 8e9),
  ]
  # The machine slows down by the turn; the peer takes 2, 3, 2 times as long.
  seconds = {
    'ours': [1, 2, 4],
    'peer': [2, 6, 8],
    product: [1, 2, 3],
    half: [1, 1, 2],
  }
  ours, peer, _, _ = timing.rows(sides, seconds, ours='ours')
  assert ours['median_s'] == 2 and ours['per_second'] == 5
  assert ours['gflops_per_s'] == 1.5 and ours['times_ours'] == 1
  assert ours['of_float32_product'] == 1.5 / 4
  assert ours['of_bfloat16_product'] == 1.5 / 8
  assert peer['times_ours'] == 2
  assert peer['times_ours_quartiles'] == [2, 2.5]


def test_the_ceilings_are_timed_like_any_side(monkeypatch):
  monkeypatch.setattr(timing, '_PRODUCT', 8)
  monkeypatch.setattr(timing, '_COPY', 8)
  sides = timing.ceilings()
  seconds = timing.interleaved(sides, rounds=2, warmups=0)
  rows = timing.rows(sides, seconds, ours='copy')
  assert [row['name'] for row in rows] == [
    'float32 product',
    'bfloat16 product',
    'copy',
  ]
  assert rows[0]['of_float32_product'] == 1
  assert rows[2]['per_second'] * rows[2]['median_s'] == pytest.approx(8 * 8)


def test_what_devices_exchange_is_read_from_the_program():
  text = """
  %a = f32[64,3]{1,0} all-reduce(%x), replica_groups={{0,1}}
  ROOT %b = (f32[2]{0}, bf16[4,4]{1,0}) all-reduce(%y, %z), channel_id=1
  %c = f32[] all-reduce-start(%w)
  %d = f32[9]{0} add(%all-reduce.1, %v)
  """
  assert scaling.exchanged(text) == 64 * 3 * 4 + (2 * 4 + 16 * 2) + 4


def test_the_exponent_is_that_of_a_power_law():
  sizes = [2, 5, 11]
  seconds = [0.3 * n**1.7 for n in sizes]
  assert growth.exponent(sizes, seconds) == pytest.approx(1.7)


def test_a_process_of_its_own_tells_its_memory():
  little, much = (timing.peak_memory(_take, mib) for mib in (1, 300))
  assert 250 < much - little < 350


def test_every_size_has_its_own_photographs_in_all_kinds_of_files(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(inputs, '_COUNT', 3)
  for side in (20, 24):
    folder = tmp_path / str(side)
    folder.mkdir()
    places = inputs._places(folder, side)
    found = {
      name: sources.open_source(place)
      for name, place in places.items()
      if name != 'photos'
    }
    assert {name: len(source) for name, source in found.items()} == {
      'folder': 3,
      'tar': 3,
      'tfds': 3,
    }
    for source in found.values():
      assert source[0].shape == (side, side, 3)


def _take(mib):
  np.ones(mib * 2**20 // 8)


def test_a_process_that_fails_is_told():
  with pytest.raises(RuntimeError, match=r'_take\(-1,\) failed'):
    timing.peak_memory(_take, -1)


def test_our_weights_make_the_peer_compute_the_same():
  pytest.importorskip('torch')
  from experiments.benchmarks import (
    ssda_train,
    torch_patches,
    torch_steps,
    train_step,
  )

  case = train_step.CASES[-1]
  _, state = train_step.compiled_step(case)
  networks = torch_steps.networks(case)
  assert torch_steps.with_our_weights(case, networks, state) < 1e-5
  _, state, _ = ssda_train.ours()
  _, difference = torch_patches.network(state.gen.params)
  assert difference < 1e-5


def test_a_peer_that_does_not_run_is_told_and_left_out():
  pytest.importorskip('torch')
  from experiments.benchmarks import torch_steps

  def broken():
    raise RuntimeError('no such kernel')

  working, told = torch_steps.that_work({'a': list, 'b': broken})
  assert list(working) == ['a']
  assert told == {'failed': {'b': 'no such kernel'}}


def test_what_cannot_be_measured_is_refused(refusals_of):
  cases = [
    ('--suite=denoise', '--workdir goes with --suite=denoise'),
    ('--suite=input --workdir=runs/x', '--workdir goes with --suite=denoise'),
    ('--suite=input --cases=none', '--cases=none: there is none'),
  ]
  arguments = [flag.split() for flag, _ in cases]
  for (kind, message), (_, said) in zip(
    refusals_of('benchmark', arguments), cases, strict=True
  ):
    assert kind == 'InputError' and said in message
