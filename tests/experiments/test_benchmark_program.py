"""What measures speed, measured: no time is looked at here."""

import os
import resource
import time

import numpy as np
import pytest

from experiments.benchmarks import apart, growth, inputs, scaling, timing
from inpaintax.data import sources

# Seconds of a work.
_ASLEEP = 0.05


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


def test_a_process_of_its_own_tells_its_memory_and_its_seconds():
  peaks = []
  for mib in (1, 300):
    with apart.Apart(_take, mib) as side:
      assert side.run() >= _ASLEEP
      peaks.append(side.peak_memory())
  assert 250 < peaks[1] - peaks[0] < 350


def test_a_process_keeps_its_memory_when_it_is_told_to(tmp_path):
  faults = tmp_path / 'faults'
  with apart.Apart(_count_faults, faults) as side:
    side.run()
    before = int(faults.read_text())
    side.keep_memory()
    side.run()  # Gets it.
    side.run()
    assert int(faults.read_text()) < 10 < before


def _count_faults(path):
  count = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt

  def work():
    before = count()
    np.ones(2**24)
    path.write_text(str(count() - before))

  return work


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
  def take():
    np.ones(mib * 2**20 // 8)
    time.sleep(_ASLEEP)

  return take


def test_a_process_that_fails_is_told():
  with pytest.raises(RuntimeError, match=r'_take\(-1,\) failed: ValueError'):
    apart.Apart(_take, -1)
  with pytest.raises(RuntimeError, match=r'_die\(\) failed: the process is g'):
    apart.Apart(_die)


def _die():
  return lambda: os._exit(1)


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
  _, state = ssda_train.ours(ssda_train.CASES[0][0])
  assert torch_patches.difference(state.gen.params) < 1e-5


def test_a_peer_that_does_not_run_is_told_and_left_out(monkeypatch):
  monkeypatch.setattr(timing, 'ceilings', list)
  ours, peers = {'ours': (_take, 1)}, {'b': (_take, -1), 'c': (_take, 2)}
  how = {'unit': 'things', 'work': 1, 'operations': 2e6, 'rounds': 1}
  kept = "PyTorch's memory kept too"
  found = list(apart.against('case', ours, peers, difference=0.0, **how))
  assert [case['case'] for case in found] == ['case', f'case, {kept}']
  for case in found:
    assert [row['name'] for row in case['rows']] == ['ours', 'c']
    assert list(case['peak_memory_mib']) == ['ours', 'c']
    assert list(case['failed']) == ['b']
    assert 'ValueError' in case['failed']['b']
  with pytest.raises(RuntimeError, match='_take'):
    list(apart.against('case', {'a': (_take, -1)}, {}, difference=0.0, **how))
  with pytest.raises(RuntimeError, match=r'case: the peer differs by 2\.0e-04'):
    list(apart.against('case', ours, peers, difference=2e-4, **how))


def test_what_cannot_be_measured_is_refused(refusals_of):
  cases = [
    ('--suite=denoise', '--suite=denoise needs --workdir'),
    ('--suite=input --workdir=runs/x', '--workdir has no meaning with'),
    ('--suite=startup --cases=none', 'cases: import, first step of imagenet64'),
  ]
  arguments = [flag.split() for flag, _ in cases]
  for (kind, message), (_, said) in zip(
    refusals_of('benchmark', arguments), cases, strict=True
  ):
    assert kind == 'InputError' and said in message
