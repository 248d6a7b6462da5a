"""Adversarial losses: what discriminator and generator make of its scores.

Each form is a pair: `discriminator(real, fake)` and `generator(fake)`, on
scores `[B]`, or `[B, N]` of a discriminator that judges N places or scales of
each image, over which the mean is taken. One value per image. `ADVERSARIAL` has
them by name.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp


class Form(NamedTuple):
  """One adversarial game.

  Attributes:
    discriminator: `(real, fake) -> [B]`, lowest when it tells them apart. The
      mean of the two terms, as in the deck: half of Torch's sum.
    generator: `(fake) -> [B]`, lowest when fakes are taken for real.
    boundary: scores above it say "real".
  """

  discriminator: Callable[[jax.Array, jax.Array], jax.Array]
  generator: Callable[[jax.Array], jax.Array]
  boundary: float = 0.0


def bce_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """Binary cross-entropy of "real" on real scores, "fake" on fake ones.

  Args:
    real: logits of real images, float `[B]` or `[B, N]`.
    fake: logits of generated ones, of the same shape.

  Returns:
    `[B]`, nats; ln 2 for a discriminator that knows nothing.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Goodfellow et al. 2014, arXiv:1406.2661, eq. 1; Pathak et al. 2016,
  eq. 2.
  """
  _check(real, fake)
  # -log sigmoid(x) = softplus(-x): finite for every logit.
  return _each(0.5 * (jax.nn.softplus(-real) + jax.nn.softplus(fake)))


def bce_generator(fake: jax.Array) -> jax.Array:
  """Binary cross-entropy of "real" on fake scores: the non-saturating form.

  Departs from eq. 2 of the paper (minimax), as the authors' code does: its
  gradient does not vanish while the discriminator wins.

  Args:
    fake: logits of generated images, float `[B]` or `[B, N]`.

  Returns:
    `[B]`, nats.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Goodfellow et al. 2014, arXiv:1406.2661, sec. 3.
  """
  _check(fake)
  return _each(jax.nn.softplus(-fake))


def least_squares_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """Squared distance of real scores from 1 and of fake ones from 0.

  Args:
    real: scores of real images, float `[B]` or `[B, N]`.
    fake: scores of generated ones, of the same shape.

  Returns:
    `[B]`.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Mao et al. 2017, arXiv:1611.04076, eq. 9.
  """
  _check(real, fake)
  return _each(0.5 * (jnp.square(real - 1) + jnp.square(fake)))


def least_squares_generator(fake: jax.Array) -> jax.Array:
  """Squared distance of fake scores from 1.

  Twice the source's eq. 9, as is the habit of its users.

  Args:
    fake: scores of generated images, float `[B]` or `[B, N]`.

  Returns:
    `[B]`.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Mao et al. 2017, arXiv:1611.04076.
  """
  _check(fake)
  return _each(jnp.square(fake - 1))


def hinge_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """How far real scores are below 1 and fake ones above -1.

  Args:
    real: scores of real images, float `[B]` or `[B, N]`.
    fake: scores of generated ones, of the same shape.

  Returns:
    `[B]`; 0 once both have that margin.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Lim and Ye 2017, arXiv:1705.02894.
  """
  _check(real, fake)
  return _each(0.5 * (jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)))


def hinge_generator(fake: jax.Array) -> jax.Array:
  """The negative score of fakes.

  Args:
    fake: scores of generated images, float `[B]` or `[B, N]`.

  Returns:
    `[B]`, of either sign.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Lim and Ye 2017, arXiv:1705.02894.
  """
  _check(fake)
  return _each(-fake)


def wasserstein_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """How far fake scores are above real ones; half of it, as in all forms.

  It has no least value by itself: `penalties.gradient_penalty` bounds it.

  Args:
    real: scores of real images, float `[B]` or `[B, N]`.
    fake: scores of generated ones, of the same shape.

  Returns:
    `[B]`, of either sign.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Arjovsky et al. 2017, arXiv:1701.07875, eq. 2.
  """
  _check(real, fake)
  return _each(0.5 * (fake - real))


def _check(*scores: jax.Array) -> None:
  chex.assert_rank(scores, {1, 2})
  chex.assert_equal_shape(scores)
  chex.assert_type(scores, float)


def _each(values: jax.Array) -> jax.Array:
  """`[B]` or `[B, N]` to `[B]`."""
  return values.mean(tuple(range(1, values.ndim)))


ADVERSARIAL = {
  'bce': Form(bce_discriminator, bce_generator),
  'least_squares': Form(
    least_squares_discriminator, least_squares_generator, boundary=0.5
  ),
  'hinge': Form(hinge_discriminator, hinge_generator),
  'wasserstein': Form(wasserstein_discriminator, hinge_generator),
}
