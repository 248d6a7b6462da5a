import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.corruptions import text

PAGES = text.load_pages(0, count=3, size=(48, 64), font_sizes=(10, 16))
KEYS = jax.random.split(jax.random.key(1), 200)
GREY = jnp.zeros((200, 9, 9, 2))


def rng(seed=0):
  return np.random.default_rng(seed)


@pytest.mark.parametrize('share', [0.05, 0.3])
def test_text_covers_the_share_and_little_more(share):
  drawn = text.draw(rng(), (200, 300), share=share)
  covered = (drawn.keep < 255).mean()
  assert share <= covered < share + 0.05
  # Where it covers nothing it adds nothing.
  assert not drawn.add[drawn.keep == 255].any()
  assert drawn.keep.dtype == drawn.add.dtype == np.uint8


def test_the_same_generator_draws_the_same_text():
  for a, b in zip(
    text.draw(rng(3), (64, 64)), text.draw(rng(3), (64, 64)), strict=True
  ):
    np.testing.assert_array_equal(a, b)
  assert (
    text.draw(rng(3), (64, 64)).keep != text.draw(rng(4), (64, 64)).keep
  ).any()


def test_larger_sizes_draw_larger_glyphs():
  # Thicker strokes have fewer border pixels to their inner ones.
  edges = []
  for size in (18, 36):
    keep = text.draw(rng(), (400, 400), font_sizes=(size, size)).keep
    edges.append(((keep > 0) & (keep < 255)).sum() / (keep == 0).sum())
  assert edges[1] < 0.75 * edges[0]


def test_every_font_draws_a_face_of_its_own():
  pages = [
    text.draw(rng(), (80, 160), font_sizes=(24, 24), fonts=[font]).keep
    for font in text.FONTS
  ]
  for i in range(3):
    assert (pages[i] != pages[i - 1]).any()


def test_text_is_laid_over_an_image():
  drawn = text.Text(
    np.array([[255, 0, 51]], np.uint8), np.array([[0, 9, 8]], np.uint8)
  )
  observed, marked = text.lay(drawn, np.array([[7, 7, 100]], np.uint8))
  np.testing.assert_allclose(observed, [[7, 9, 28]])
  assert marked.tolist() == [[False, True, True]]


def test_glyphs_are_the_pixels_that_pages_change():
  changed = np.zeros(PAGES.keep.shape, bool)
  changed[tuple(PAGES.glyphs.T)] = True
  np.testing.assert_array_equal(changed, PAGES.keep < 255)


def test_a_share_of_images_carries_text_and_the_mask_says_where():
  observed, mask = jax.jit(text.superimpose, static_argnames='share')(
    KEYS, GREY, PAGES, share=0.7
  )
  assert observed.shape == GREY.shape and mask.shape == (200, 9, 9, 1)
  has = np.asarray(mask.any((1, 2, 3)))
  assert abs(has.mean() - 0.7) < 4 * np.sqrt(0.7 * 0.3 / 200)
  # Outside the mask nothing changes, to rounding.
  outside = np.broadcast_to(mask == 0, GREY.shape)
  np.testing.assert_allclose(observed[outside], 0, atol=1e-6)
  every, mask = text.superimpose(KEYS, GREY, PAGES)
  assert mask.any((1, 2, 3)).all()
  assert every.min() >= -1 and every.max() <= 1 + 1e-6


def test_glyphs_come_to_lie_anywhere_in_an_image():
  _, mask = text.superimpose(KEYS, GREY, PAGES)
  hits = np.asarray(mask.sum((0, 3)))
  assert hits.min() > 0.4 * hits.max()


def test_device_and_host_lay_alike():
  # A page of one image's size has one place.
  page = text.load_pages(5, count=1, size=(9, 9), font_sizes=(8, 8))
  grey = np.arange(81, dtype=np.float32).reshape(9, 9)
  laid, marked = text.lay(text.Text(page.keep[0], page.add[0]), grey)
  observed, mask = text.superimpose(
    KEYS[:1], jnp.asarray(grey)[None, ..., None] / 127.5 - 1, page
  )
  np.testing.assert_allclose(127.5 * (observed[0, ..., 0] + 1), laid, atol=1e-3)
  np.testing.assert_array_equal(mask[0, ..., 0] > 0, marked)


def test_an_image_depends_on_its_own_key_alone():
  whole, _ = text.superimpose(KEYS, GREY, PAGES, share=0.5)
  part, _ = text.superimpose(KEYS[3:5], GREY[3:5], PAGES, share=0.5)
  np.testing.assert_array_equal(whole[3:5], part)


@pytest.mark.parametrize('even', [False, True])
def test_sizes_come_equally_often_or_cover_equal_areas(even, monkeypatch):
  drawn = []
  put = text.cv2.putText

  def spy(*args):
    drawn.append(args[5])
    return put(*args)

  monkeypatch.setattr(text.cv2, 'putText', spy)
  text.load_pages(
    0, count=40, size=(200, 200), font_sizes=(10, 30), even_sizes=even
  )
  sizes = np.array(drawn)
  assert sizes.min() == 10 and sizes.max() == 30
  weights = sizes**2 if even else np.ones(len(sizes))
  # 10 of the 21 sizes are above 20: 4 standard deviations of that share.
  share = weights[sizes > 20].sum() / weights.sum()
  spread = (weights**2).sum() ** 0.5 / weights.sum() / 2
  assert share == pytest.approx(10 / 21, abs=4 * spread)
  # And it is not the other way of drawing.
  other = np.ones(len(sizes)) if even else sizes**2
  unlike = other[sizes > 20].sum() / other.sum()
  assert abs(unlike - 10 / 21) > 4 * spread


def test_what_is_out_of_range_is_refused():
  with pytest.raises(ValueError, match='font sizes'):
    text.draw(rng(), (20, 20), font_sizes=(9, 8))
  with pytest.raises(ValueError, match='share'):
    text.draw(rng(), (20, 20), share=1.0)
  with pytest.raises(ValueError, match='share'):
    text.superimpose(KEYS, GREY, PAGES, share=1.5)
  with pytest.raises(ValueError, match='pages'):
    text.superimpose(KEYS[:1], jnp.zeros((1, 49, 9, 1)), PAGES)
  with pytest.raises(ValueError, match=r'no\.ttf'):
    text.draw(rng(), (20, 20), fonts=['no.ttf'])


def test_the_share_of_grey_strings_is_chosen():
  def greys(share):
    generator = np.random.default_rng(0)
    pages = [
      text.draw(generator, (64, 64), font_sizes=(12, 20), grey_share=share)
      for _ in range(8)
    ]
    inside = np.concatenate([p.add[p.keep == 0] for p in pages])
    return np.mean((inside > 0) & (inside < 255))

  assert greys(0.0) < 0.02  # Edges that lie over others.
  assert 0.1 < greys(None) < 0.7 < greys(1.0)
  with pytest.raises(ValueError, match='share'):
    greys(1.5)
