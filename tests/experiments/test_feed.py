"""The watched stream."""

import time

from experiments.feed import Feed


def slow(*pauses):
  for number, pause in enumerate(pauses):
    time.sleep(pause)
    yield number


def test_a_stream_that_hangs_is_told_of_once(capsys):
  feed = Feed(slow(0, 0.6, 0), patience=0.1)
  assert feed.last is None
  assert [next(feed), next(feed), next(feed)] == [0, 1, 2] and feed.last == 2
  said = capsys.readouterr().err
  assert said.count('the next images have not come') == 1
  assert said.startswith('inpaintax: warning: ')


def test_a_stream_that_nobody_asks_is_not_hanging(capsys):
  feed = Feed(slow(0, 0), patience=0.05)
  next(feed)
  time.sleep(0.3)
  next(feed)
  assert not capsys.readouterr().err
