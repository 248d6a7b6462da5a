import math

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.losses import adversarial
from inpaintax.losses.joint import joint

NAMES = sorted(adversarial.ADVERSARIAL)


@pytest.mark.parametrize(
  'name, score, disc, gen',
  [
    # A probability of one half.
    ('bce', 0.0, math.log(2), math.log(2)),
    ('least_squares', 0.5, 0.25, 0.25),
    # The mean of 1 for the real and 1 for the fake.
    ('hinge', 0.0, 1.0, 0.0),
    ('wasserstein', 0.0, 0.0, 0.0),
  ],
)
def test_a_discriminator_that_knows_nothing(name, score, disc, gen):
  form = adversarial.ADVERSARIAL[name]
  scores = jnp.full(3, score)
  for wrap in (lambda f: f, jax.jit):
    np.testing.assert_allclose(
      wrap(form.discriminator)(scores, scores), [disc] * 3, rtol=1e-6
    )
    np.testing.assert_allclose(wrap(form.generator)(scores), [gen] * 3, 1e-6)


def test_by_hand():
  real, fake = jnp.array([2.0, -1.0]), jnp.array([0.5, -3.0])
  forms = adversarial.ADVERSARIAL
  disc = {name: forms[name].discriminator(real, fake) for name in NAMES}
  gen = {name: forms[name].generator(fake) for name in NAMES}
  p = lambda logit: 1 / (1 + math.exp(-logit))
  np.testing.assert_allclose(
    disc['bce'],
    [
      -(math.log(p(2)) + math.log(1 - p(0.5))) / 2,
      -(math.log(p(-1)) + math.log(1 - p(-3))) / 2,
    ],
    rtol=1e-6,
  )
  np.testing.assert_allclose(
    gen['bce'], [-math.log(p(0.5)), -math.log(p(-3))], rtol=1e-6
  )
  np.testing.assert_allclose(disc['least_squares'], [0.625, 6.5])
  np.testing.assert_allclose(gen['least_squares'], [0.25, 16.0])
  # Beyond the margin nothing is owed: relu(1 - 2) = relu(1 - 3) = 0.
  np.testing.assert_allclose(disc['hinge'], [0.75, 1.0])
  np.testing.assert_allclose(gen['hinge'], [-0.5, 3.0])
  np.testing.assert_allclose(disc['wasserstein'], [-0.75, -1.0])
  np.testing.assert_allclose(gen['wasserstein'], [-0.5, 3.0])


@pytest.mark.parametrize('name', NAMES)
def test_the_players_pull_the_scores_apart_and_the_fake_one_up(name):
  form = adversarial.ADVERSARIAL[name]
  real, fake = jnp.array([form.boundary]), jnp.array([form.boundary])
  up, down = jax.grad(
    lambda real, fake: form.discriminator(real, fake).sum(), (0, 1)
  )(real, fake)
  assert up < 0 < down  # Descent raises the real score, lowers the fake one.
  assert jax.grad(lambda fake: form.generator(fake).sum())(fake) < 0


@pytest.mark.parametrize('name', NAMES)
def test_the_boundary_is_where_both_answers_cost_the_same(name):
  form = adversarial.ADVERSARIAL[name]
  score = jnp.array([form.boundary])
  above, below = score + 0.25, score - 0.25
  np.testing.assert_allclose(
    form.discriminator(above, score), form.discriminator(score, below), 1e-6
  )


@pytest.mark.parametrize('logit', [-1e30, -1e4, -200.0, 200.0, 1e4, 1e30])
def test_cross_entropy_of_extreme_logits_is_finite_and_still_pulls(logit):
  form = adversarial.ADVERSARIAL['bce']
  score = jnp.array([logit], jnp.float32)
  for loss in (
    lambda x: form.discriminator(x, -x).sum(),
    lambda x: form.generator(x).sum(),
  ):
    value, grad = jax.value_and_grad(loss)(score)
    # softplus(-x): 0 or -x. Through a probability both would be lost.
    np.testing.assert_allclose(value, max(-logit, 0), rtol=1e-6)
    np.testing.assert_allclose(grad, [-1.0 if logit < 0 else 0.0], atol=1e-6)


@pytest.mark.parametrize('name', NAMES)
def test_the_gradient_is_that_of_finite_differences(name):
  form = adversarial.ADVERSARIAL[name]
  with jax.enable_x64(True):
    # Away from the corners of the hinge at 1 and -1.
    real, fake = jnp.array([2.0, 0.3, -4.0]), jnp.array([-0.7, 3.0, -2.5])
    assert real.dtype == jnp.float64
    one = jnp.array([1.0, -2.0, 0.5])
    disc = jax.jit(lambda t: form.discriminator(real + t * one, fake - t).sum())
    gen = jax.jit(lambda t: form.generator(fake + t * one).sum())
    for loss in (disc, gen):
      exact = float(jax.grad(loss)(0.0))
      slope = float(loss(1e-5) - loss(-1e-5)) / 2e-5
      assert abs(slope - exact) < 1e-6 * abs(exact)


@pytest.mark.parametrize('name', NAMES)
def test_a_part_of_a_batch_costs_what_it_costs_in_the_batch(name):
  form = adversarial.ADVERSARIAL[name]
  real, fake = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
  np.testing.assert_array_equal(
    form.discriminator(real, fake)[2:4],
    form.discriminator(real[2:4], fake[2:4]),
  )
  np.testing.assert_array_equal(
    form.generator(fake)[2:4], form.generator(fake[2:4])
  )


@pytest.mark.parametrize('name', NAMES)
def test_wrong_shapes_and_types_are_refused(name):
  form = adversarial.ADVERSARIAL[name]
  scores = jnp.ones(4)
  for real, fake in [
    (scores, scores[:2]),
    (scores[:, None, None], scores[:, None, None]),
    (scores, scores[:, None]),
    (scores.astype(int), scores.astype(int)),
  ]:
    with pytest.raises(AssertionError):
      form.discriminator(real, fake)
  for fake in (scores[:, None, None], scores.sum(), scores.astype(int)):
    with pytest.raises(AssertionError):
      form.generator(fake)


def test_the_joint_loss_by_hand():
  rec, adv = jnp.array([0.04]), jnp.array([math.log(2)])
  np.testing.assert_allclose(joint(rec, adv, weight=0.001), [0.0406531], 1e-5)
  np.testing.assert_array_equal(joint(rec, adv, weight=0.0), rec)
  np.testing.assert_array_equal(joint(rec, adv, weight=1.0), adv)
  # A schedule's weight is a number of the step.
  scheduled = jax.jit(lambda weight: joint(rec, adv, weight=weight))
  np.testing.assert_allclose(scheduled(0.001), [0.0406531], 1e-5)


def test_the_joint_loss_passes_each_gradient_with_its_weight():
  both = jax.grad(
    lambda rec, adv: joint(rec, adv, weight=0.25).sum(), argnums=(0, 1)
  )(jnp.ones(2), jnp.ones(2))
  np.testing.assert_allclose(both, [[0.75] * 2, [0.25] * 2])


def test_the_joint_loss_refuses_what_it_cannot_weigh():
  x = jnp.ones(2)
  for weight in (-0.001, 1.001, float('nan')):
    with pytest.raises(ValueError, match='weight'):
      joint(x, x, weight=weight)
  for rec, adv in [(x, x[:1]), (x[:, None], x[:, None]), (x.sum(), x.sum())]:
    with pytest.raises(AssertionError):
      joint(rec, adv, weight=0.5)


@pytest.mark.parametrize('name', NAMES)
def test_of_many_scores_per_image_the_mean_is_taken(name):
  form = adversarial.ADVERSARIAL[name]
  real, fake = jnp.array([[2.0, -1.0]]), jnp.array([[0.5, -3.0]])
  each = form.discriminator(real[0], fake[0]).mean()
  np.testing.assert_allclose(form.discriminator(real, fake), [each], rtol=1e-6)
  each = form.generator(fake[0]).mean()
  np.testing.assert_allclose(form.generator(fake), [each], rtol=1e-6)


@pytest.mark.parametrize('name', NAMES)
def test_no_images_cost_nothing(name):
  form = adversarial.ADVERSARIAL[name]
  for none in (jnp.zeros((0,)), jnp.zeros((0, 3))):
    assert form.generator(none).shape == (0,)
    assert form.discriminator(none, none).shape == (0,)
