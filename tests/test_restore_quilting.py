"""A quilt goes on: what fits beside it is laid, and stretches stay whole."""

import cv2
import numpy as np
import pytest
from arrays import box, noise

from inpaintax.restore import quilting, texture


def test_pieces_cover_the_hole_from_its_edge_inwards():
  mask = box((60, 70), 11, 13, 31, 27)
  found = quilting.pieces(mask)
  covered = np.zeros(mask.shape, bool)
  for row, column in found:
    reach = quilting.STRIDE // 2
    covered[
      row - reach : row + reach + 1, column - reach : column + reach + 1
    ] = True
  assert covered[mask].all()
  depth = [
    min(r - 10, 42 - r, c - 12, 40 - c) if mask[r, c] else 0 for r, c in found
  ]
  assert depth == sorted(depth) and depth[-1] > depth[0]


def test_what_is_there_twice_comes_back_whole():
  """The hole's truth lies elsewhere: its detail is found there, in one go."""
  half = cv2.GaussianBlur(noise(64, 64, 3), (0, 0), 0.7)
  image = np.concatenate([half, half], axis=1)
  mask = box((64, 128), 20, 84, 24, 24)
  blurred = cv2.GaussianBlur(image, (0, 0), 1.8)
  found = texture.refine(image, blurred, mask)
  before = np.abs(blurred[mask].astype(float) - image[mask]).mean()
  after = np.abs(found[mask].astype(float) - image[mask]).mean()
  assert after < before / 4


def test_places_beside_go_on_where_the_neighbours_came_from():
  known = np.ones((40, 40), bool)
  known[:, 30:] = False
  quilt = quilting.Quilt(np.zeros((40, 40, 3), np.float32), ~known, known)
  piece = np.array([12, 32])
  assert quilt.beside(piece).shape == (0, 2)
  quilt.lay(piece - [0, quilting.STRIDE], np.array([20, 10]))
  quilt.lay(piece - [quilting.STRIDE, 0], np.array([8, 29]))
  # The second goes on, too, but a row further down, and the first to the right.
  assert quilt.beside(piece).tolist() == [[13, 29], [20, 15]]
  quilt.lay(
    piece + [0, quilting.STRIDE], np.array([0, 2])
  )  # Goes out on the left.
  assert len(quilt.beside(piece)) == 2


def test_the_misfit_is_taken_where_something_lies():
  detail = np.random.default_rng(0).normal(size=(40, 40, 3)).astype(np.float32)
  missing = box((40, 40), 20, 0, 20, 40)
  quilt = quilting.Quilt(detail, missing, ~missing)
  piece, place = np.array([21, 17]), np.array([8, 9])
  reach = quilting.REACH
  # Three of nine rows lie above row 20.
  apart = detail[17:20, 13:22] - detail[8 - reach : 7, 5:14]
  expected = quilting._FIT * np.square(apart).mean()
  assert quilt.misfit(piece, place[None])[0] == pytest.approx(
    expected, rel=1e-5
  )
  quilt.lay(piece, place)
  # Laid whole, but what is known stays as it is.
  assert quilt.misfit(piece, place[None])[0] == pytest.approx(
    expected * 27 / 81, rel=1e-5
  )
