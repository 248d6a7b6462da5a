"""Training a stacked auto-encoder: layer by layer, then all of it."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import optax

from inpaintax.losses import reconstruction, regularizers
from inpaintax.models.ssda import StackedAutoencoder
from inpaintax.steps import player
from inpaintax.steps.supervised import SupervisedState
from inpaintax.types import Metrics, Sample


def make_stage_step(
  model: StackedAutoencoder,
  tx: optax.GradientTransformation,
  *,
  stage: int,
  first: int,
  beta: float = 1e-2,
  rho: float = 0.05,
  weight_decay: float = 1e-4,
  axis_name: str | None = None,
) -> Callable[[SupervisedState, Sample], tuple[SupervisedState, Metrics]]:
  """Builds a pure `step(state, sample)` on patches.

  Stage k < K trains auto-encoder k alone, counted from 0: from the hidden units
  below it of noisy patches to those of clean ones, never with fresh noise on
  hidden units. Stage K, fine-tuning, trains all layers, without the sparsity
  term. The optimiser starts anew with each stage.

  Args:
    model: of K encoding layers.
    tx: optimiser of all parameters; those that a stage leaves alone get no
      gradient, and it must not move them.
    stage: 0 to K.
    first: the value of `state.step` at which the stage begins.
    beta: weight of the sparsity term.
    rho: sparsity target.
    weight_decay: lambda.
    axis_name: the pmapped axis or None.

  Returns:
    The step. Metrics: `loss`, and its parts `rec` (half the squared error of a
    patch, in units of code) and `sparsity`, which fine-tuning has not.

  Raises:
    ValueError: there is no such stage.

  Source: Xie, Xu and Chen 2012, eq. 2 to 4 and sec. 2.2.
  """
  depth = len(model.hidden)
  if not 0 <= stage <= depth:
    raise ValueError(f'stage must be in 0..{depth}, got {stage}.')

  def layerwise(
    params: chex.ArrayTree, sample: Sample
  ) -> tuple[jax.Array, Metrics]:
    def both(bound: StackedAutoencoder) -> tuple[jax.Array, ...]:
      code, mean = bound.code(sample.observed)
      clean, _ = bound.code(sample.target, mean=mean)
      below = jax.lax.stop_gradient(bound.encode(code, stage))
      wanted = jax.lax.stop_gradient(bound.encode(clean, stage))
      if not stage:
        wanted = bound.central(wanted)
      return *bound.autoencoder(below, stage), wanted

    parts: Any = model.apply({'params': params}, method=both)
    hidden, output, wanted = parts
    rec = reconstruction.half_squared_error(output, wanted).mean()
    sparsity = regularizers.kl_sparsity(hidden, rho=rho, axis_name=axis_name)
    weights = [
      params[f'{part}_{stage}']['kernel'] for part in ('encoders', 'decoders')
    ]
    loss = (
      rec + beta * sparsity + weight_decay * regularizers.frobenius(*weights)
    )
    return loss, {'loss': loss, 'rec': rec, 'sparsity': sparsity}

  def together(
    params: chex.ArrayTree, sample: Sample
  ) -> tuple[jax.Array, Metrics]:
    def both(bound: StackedAutoencoder) -> tuple[jax.Array, ...]:
      code, mean = bound.code(sample.observed)
      clean, _ = bound.code(sample.target, mean=mean)
      return bound.decode(bound.encode(code, depth)), bound.central(clean)

    parts: Any = model.apply({'params': params}, method=both)
    output, wanted = parts
    rec = reconstruction.half_squared_error(output, wanted).mean()
    weights = [layer['kernel'] for layer in params.values()]
    loss = rec + weight_decay * regularizers.frobenius(*weights)
    return loss, {'loss': loss, 'rec': rec}

  loss_of: Any = together if stage == depth else layerwise

  def step(
    state: SupervisedState, sample: Sample
  ) -> tuple[SupervisedState, Metrics]:
    gen = state.gen
    fresh = tx.init(gen.params)
    opt = jax.tree.map(
      lambda new, old: jax.lax.select(state.step == first, new, old),
      fresh,
      gen.opt,
    )
    grads, metrics = jax.grad(loss_of, has_aux=True)(gen.params, sample)
    gen = player.move(
      gen._replace(opt=opt), tx, grads, gen.stats, axis_name=axis_name
    )
    metrics = player.mean_over(metrics, axis_name)
    return SupervisedState(state.step + 1, gen), metrics

  return step
