import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from inpaintax.steps import optimizers

RATE = 1e-2


def first_step(shape, *, scale=1.0):
  """What a gradient of that shape does to weights of 0, and the gradient."""
  tx = optimizers.muon(optax.constant_schedule(RATE))
  params = {'kernel': jnp.zeros(shape), 'other': jnp.zeros(3)}
  grads = {
    'kernel': scale * jax.random.normal(jax.random.key(0), shape),
    'other': jnp.zeros(3),
  }
  updates, _ = jax.jit(tx.update)(grads, tx.init(params), params)
  np.testing.assert_array_equal(updates['other'], 0)
  return np.asarray(updates['kernel']), np.asarray(grads['kernel'])


@pytest.mark.parametrize(
  'shape', [(3, 3, 8, 32), (1, 1, 128, 512), (3, 3, 2, 64)]
)
def test_a_hidden_kernel_moves_as_far_in_all_directions(shape):
  update, gradient = first_step(shape)
  step, slope = (x.reshape(-1, shape[-1]) for x in (update, gradient))
  left, _, right = np.linalg.svd(slope, full_matrices=False)
  # The gradient's own directions, downhill; the source: 0.5 to 1.5 of a step.
  along = -left.T @ step @ right.T
  size = 0.2 * RATE * max(step.shape) ** 0.5
  strengths = np.diag(along) / size
  assert strengths.min() > 0.5 and strengths.max() < 1.5
  assert abs(along - np.diag(np.diag(along))).max() < 1e-3 * size
  # Root mean square, like Adam's: 0.2 of the rate.
  assert (update**2).mean() ** 0.5 == pytest.approx(0.2 * RATE, rel=0.35)


def test_the_size_of_the_gradient_says_nothing():
  small, large = (first_step((3, 3, 8, 32), scale=s)[0] for s in (1e-2, 1e2))
  np.testing.assert_allclose(small, large, atol=1e-4 * RATE)


@pytest.mark.parametrize('shape', [(3, 3, 32, 4), (3, 3, 64, 256), (9, 32)])
def test_all_else_is_nadams(shape):
  # The first step of Adam is the rate, against the gradient's sign; Nesterov's
  # looks ahead, with momentum 0.9: 0.9 * 0.1 / (1 - 0.9**2) further.
  update, gradient = first_step(shape)
  rate = RATE * (1 + 0.09 / 0.19)
  np.testing.assert_allclose(update, -rate * np.sign(gradient), rtol=1e-2)
