"""Training a stacked auto-encoder: layer by layer, then all of it."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from inpaintax.losses import reconstruction, regularizers
from inpaintax.models.ssda import StackedAutoencoder
from inpaintax.steps import player
from inpaintax.steps.supervised import SupervisedState
from inpaintax.types import Metrics, Sample

Loss = Callable[[Any, Sample], tuple[jax.Array, Metrics]]
Step = Callable[[SupervisedState, Sample], tuple[SupervisedState, Metrics]]

# Earlier steps from which L-BFGS knows the curvature.
_MEMORY = 10


def make_stage_loss(
  model: StackedAutoencoder,
  *,
  stage: int,
  beta: float = 1e-2,
  rho: float = 0.05,
  weight_decay: float = 1e-4,
  scale: float = 1.0,
  axis_name: str | None = None,
) -> Loss:
  """Builds the pure `loss(params, sample)` of a stage.

  Stage k < K trains auto-encoder k alone, counted from 0: from the hidden units
  below it of noisy patches to those of clean ones, never with fresh noise on
  hidden units. Stage K, fine-tuning, trains all layers, without the sparsity
  term.

  Args:
    model: of K encoding layers.
    stage: 0 to K.
    beta: weight of the sparsity term.
    rho: sparsity target.
    weight_decay: lambda.
    scale: by which errors of pixels' codes, not of hidden units, are multiplied
      before they are squared. The paper does not say in which unit it measures
      them, and so how much its lambda and beta weigh.
    axis_name: the pmapped axis or None.

  Returns:
    `(params, sample) -> (loss, metrics)`. Metrics: `loss`, and its parts `rec`
    (half the squared error of a patch) and `sparsity`, which fine-tuning has
    not.

  Raises:
    ValueError: there is no such stage.

  Source: Xie, Xu and Chen 2012, eq. 2 to 4 and sec. 2.2.
  """
  depth = len(model.hidden)
  if not 0 <= stage <= depth:
    raise ValueError(f'stage must be in 0..{depth}, got {stage}.')

  def outputs(
    bound: StackedAutoencoder, sample: Sample
  ) -> tuple[jax.Array | None, jax.Array, jax.Array]:
    """Hidden units to make sparse, what comes out, what should."""
    code, mean = bound.code(sample.observed)
    clean, _ = bound.code(sample.target, mean=mean)
    if stage == depth:
      return None, bound.denoise(code), bound.central(clean)
    below = jax.lax.stop_gradient(bound.encode(code, stage))
    wanted = jax.lax.stop_gradient(bound.encode(clean, stage))
    if not stage:
      wanted = bound.central(wanted)
    found = *bound.autoencoder(below, stage), wanted
    # Of a convolutional stack, each cell's hidden units are a sample.
    hidden, output, wanted = (x.reshape(-1, x.shape[-1]) for x in found)
    return hidden, output, wanted

  def loss_of(
    params: chex.ArrayTree, sample: Sample
  ) -> tuple[jax.Array, Metrics]:
    found: Any = model.apply({'params': params}, sample, method=outputs)
    # Sums over many pixels, whatever type the model computes in.
    hidden, output, wanted = jax.tree.map(
      lambda x: x.astype(jnp.float32), found
    )
    rec = reconstruction.half_squared_error(output, wanted).mean()
    if stage in (0, depth):
      rec *= scale**2
    metrics = {'rec': rec}
    loss, layers = rec, list(params)
    if hidden is not None:
      sparsity = regularizers.kl_sparsity(hidden, rho=rho, axis_name=axis_name)
      metrics['sparsity'] = sparsity
      loss += beta * sparsity
      layers = [f'encoders_{stage}', f'decoders_{stage}']
    weights = [
      x for x in jax.tree.leaves([params[i] for i in layers]) if x.ndim > 1
    ]
    loss += weight_decay * regularizers.frobenius(*weights)
    return loss, {'loss': loss} | metrics

  return loss_of


def make_stage_step(
  loss: Loss,
  tx: optax.GradientTransformation,
  *,
  first: int,
  axis_name: str | None = None,
) -> Step:
  """Builds a pure `step(state, sample)` on patches.

  Args:
    loss: of `make_stage_loss`.
    tx: optimiser of all parameters; those that a stage leaves alone get no
      gradient, and it must not move them. It starts anew with each stage.
    first: the value of `state.step` at which the stage begins.
    axis_name: the pmapped axis or None; give the loss the same one.

  Returns:
    The step. Metrics: those of the loss.
  """

  def step(
    state: SupervisedState, sample: Sample
  ) -> tuple[SupervisedState, Metrics]:
    gen = state.gen
    # A choice between branches: one between numbers reads them all each time.
    opt = jax.lax.cond(
      state.step == first,
      lambda _: tx.init(gen.params),
      lambda old: old,
      gen.opt,
    )
    grads, metrics = jax.grad(loss, has_aux=True)(gen.params, sample)
    gen = player.move(
      gen._replace(opt=opt),
      tx,
      grads,
      gen.stats,
      loss=metrics['loss'],
      axis_name=axis_name,
    )
    metrics = player.mean_over(metrics, axis_name)
    return SupervisedState(state.step + 1, gen), metrics

  return step


def make_stage_round(loss: Loss, *, iterations: int) -> Step:
  """Builds a pure round of L-BFGS, `step(state, sample)`, on many patches.

  Within a round the objective stands still, as the line search needs it to: the
  same patches with the same noise. The next round has others, and knows nothing
  of this one's curvature. For one device, or several under jit.

  Args:
    loss: of `make_stage_loss`.
    iterations: of L-BFGS; each counts as one step.

  Returns:
    The step. Metrics: those of the loss, after the last iteration. The
    optimiser's state passes through it unused.

  Source: Liu and Nocedal 1989, "On the limited memory BFGS method for large
  scale optimization"; the paper names L-BFGS and no more.
  """
  tx = optax.lbfgs(memory_size=_MEMORY)

  def step(
    state: SupervisedState, sample: Sample
  ) -> tuple[SupervisedState, Metrics]:
    value_of = lambda params: loss(params, sample)[0]
    value_and_grad = optax.value_and_grad_from_state(value_of)

    def one(carry: Any, _: None) -> tuple[Any, None]:
      params, opt = carry
      value, grad = value_and_grad(params, state=opt)
      updates, opt = tx.update(
        grad, opt, params, value=value, grad=grad, value_fn=value_of
      )
      return (optax.apply_updates(params, updates), opt), None

    start = state.gen.params, tx.init(state.gen.params)
    (params, _), _ = jax.lax.scan(one, start, length=iterations)
    _, metrics = loss(params, sample)
    gen = player.unless_broken(
      state.gen, lambda gen: gen._replace(params=params), (metrics, params)
    )
    return SupervisedState(state.step + iterations, gen), metrics

  return step
