"""Training a generator in turn with a discriminator."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from inpaintax.losses import penalties
from inpaintax.losses.adversarial import Form
from inpaintax.losses.joint import joint
from inpaintax.steps import compile as compiling
from inpaintax.steps import player
from inpaintax.steps.supervised import (
  Reconstruction,
  predicted_part,
  reconstruct,
)
from inpaintax.types import Metrics, Sample

# `(critic, real, fake, share) -> [B]`, see `losses.penalties`.
Penalty = Callable[..., jax.Array]
# Who moves in a step: in turn, or one alone.
MOVES = ('both', 'gen', 'disc')
# Among the streams of a seed.
_SHARES = 3


class GanState(NamedTuple):
  """State of two networks and their two optimisers.

  Attributes:
    step: int32 scalar, updates done.
    gen: the generator.
    disc: the discriminator.
  """

  step: jax.Array
  gen: player.Player
  disc: player.Player


def init_gan(
  key: jax.Array,
  generator: nn.Module,
  discriminator: nn.Module,
  gen_tx: optax.GradientTransformation,
  disc_tx: optax.GradientTransformation,
  *,
  image: jax.ShapeDtypeStruct,
  averaged: bool = False,
) -> GanState:
  """State before the first update.

  Args:
    key: typed PRNG key.
    generator: called `(observed, mask, train=...)`.
    discriminator: called `(image, mask, train=...)`.
    gen_tx: optimiser of the generator.
    disc_tx: optimiser of the discriminator.
    image: shape and type of a batch of images, `[B, H, W, C]`; B may be small.
    averaged: whether a moving average of the generator is kept.

  Returns:
    The state.
  """
  gen_key, disc_key = jax.random.split(key)
  mask = jax.ShapeDtypeStruct((*image.shape[:3], 1), image.dtype)
  gen = player.init_player(
    gen_key, generator, gen_tx, image, mask, averaged=averaged
  )
  # `init` and not `apply`: there is no pmapped axis here to average over.
  init = functools.partial(generator.init_with_output, train=True)
  outputs, _ = jax.eval_shape(init, gen_key, image, mask)
  block = jax.tree.leaves(outputs)[-1]
  mask = jax.ShapeDtypeStruct((*block.shape[:3], 1), image.dtype)
  disc = player.init_player(disc_key, discriminator, disc_tx, block, mask)
  return GanState(jnp.int32(0), gen, disc)


def make_gan_step(
  generator: nn.Module,
  discriminator: nn.Module,
  gen_tx: optax.GradientTransformation,
  disc_tx: optax.GradientTransformation,
  *,
  reconstruction: Reconstruction,
  form: Form,
  adversarial_weight: float = 1e-3,
  feature_weight: float = 0.0,
  style_weight: float = 0.0,
  penalty: Penalty | None = None,
  penalty_weight: float = 10.0,
  decay: float = 0.999,
  moves: str = 'both',
  seed: int = 0,
  axis_name: str | None = None,
) -> Callable[[GanState, Sample], tuple[GanState, Metrics]]:
  """Builds a pure `step(state, sample)` that moves D, then G.

  A context encoder and a globally and locally consistent completion network are
  two recipes of it: they differ in the two modules, in `reconstruction`, and in
  who `moves` when (`steps.stages`).

  Departs from the authors' train.lua in two ways. There G's update reads D's
  scores from before D moved but runs back through its new weights; here G is
  judged by the D that has just moved. And there D sees what G predicted, frame
  of known pixels included; here it sees the composite, as a user would, so that
  a seam gives a fake away.

  D sees real and fake images in two passes, each with its own batch statistics.
  G's update leaves D's statistics alone.

  Args:
    generator: called `(observed, mask, train=...)`, returns the whole image or
      the block around the hole; or several of them, from coarse to fine: the
      reconstruction loss is then summed over all, D sees the last.
    discriminator: called `(image, mask, train=...)`, returns scores `[B]`, or
      `[B, N]` of N places or scales.
    gen_tx: optimiser of the generator's parameters only.
    disc_tx: optimiser of the discriminator's parameters only.
    reconstruction: `(prediction, target, mask) -> [B]`.
    form: the adversarial losses.
    adversarial_weight: in [0, 1]; reconstruction gets the rest.
    feature_weight: of `penalties.feature_matching`, on what the discriminator
      sows as `features`, added to G's loss.
    style_weight: of `penalties.style`, likewise.
    penalty: what D pays, `(critic, real, fake, share) -> [B]`, the share drawn
      uniformly from [0, 1] for each image; None: nothing.
    penalty_weight: of it, beside D's loss.
    decay: of the generator's moving average, if its state has one; less at
      first, see `player.warmed_up`.
    moves: of `MOVES`: who is trained, the other staying as it is. Without D, G
      has the reconstruction loss alone.
    seed: root of the shares.
    axis_name: the pmapped axis or None; give both modules the same one.

  Returns:
    The step. Metrics of who moves: `gen/rec`; if D moves too `gen/adv`, with
    weights `gen/features` and `gen/style`; `disc/loss`, `disc/real` and
    `disc/fake`, the shares of either taken for real, and `disc/penalty`.

  Raises:
    ValueError: `adversarial_weight` is outside [0, 1], `moves` or `form` wrong.

  Source: Pathak et al. 2016, arXiv:1604.07379, eq. 2 and 3.
  """
  if not 0 <= adversarial_weight <= 1:
    raise ValueError(
      f'adversarial_weight must be in [0, 1], got {adversarial_weight}.'
    )
  if moves not in MOVES:
    raise ValueError(f'moves is one of {", ".join(MOVES)}, got {moves!r}.')
  disc_loss = _make_disc_loss(
    discriminator, form, penalty, penalty_weight, axis_name
  )
  extras = [
    ('features', penalties.feature_matching, feature_weight),
    ('style', penalties.style, style_weight),
  ]
  gen_loss = _make_gen_loss(
    discriminator,
    reconstruction,
    form,
    adversarial_weight,
    [extra for extra in extras if extra[2]],
    alone=moves == 'gen',
  )
  root = jax.random.fold_in(jax.random.key(seed), _SHARES)

  def step(state: GanState, sample: Sample) -> tuple[GanState, Metrics]:
    kept = player.warmed_up(decay, state.step)
    move = functools.partial(player.move, axis_name=axis_name, decay=kept)
    # One forward pass of G serves both players.
    outs, pull_back, gen_stats = jax.vjp(
      lambda params: player.run(
        generator,
        state.gen._replace(params=params),
        sample.observed,
        sample.mask,
      ),
      state.gen.params,
      has_aux=True,
    )
    last = jax.tree.leaves(outs)[-1]
    target, mask = predicted_part(last, sample)
    gen, disc, logs = state.gen, state.disc, {}
    if moves != 'gen':
      grads, (stats, logs) = jax.grad(disc_loss, has_aux=True)(
        disc.params,
        disc,
        target,
        composite(last, target, mask),
        mask,
        jax.random.fold_in(root, state.step),
      )
      disc = move(disc, disc_tx, grads, stats, loss=logs['disc/loss'])
    if moves != 'disc':
      out_grad, gen_logs = jax.grad(gen_loss, has_aux=True)(
        outs, disc, target, mask
      )
      (grads,) = pull_back(out_grad)
      gen = move(gen, gen_tx, grads, gen_stats, loss=sum(gen_logs.values()))
      logs = gen_logs | logs
    logs = player.mean_over(logs, axis_name)
    return GanState(state.step + 1, gen, disc), logs

  return step


def _make_disc_loss(
  discriminator: nn.Module,
  form: Form,
  penalty: Penalty | None,
  penalty_weight: float,
  axis_name: str | None,
) -> Callable[..., tuple[jax.Array, Any]]:
  """(loss, (statistics, metrics)) of D's parameters, for `jax.grad`."""
  if not isinstance(form, Form):
    raise ValueError(f'form is a losses.adversarial.Form, got {form!r}.')
  score = functools.partial(player.run, discriminator)

  def disc_loss(
    params: chex.ArrayTree,
    disc: player.Player,
    real: jax.Array,
    fake: jax.Array,
    mask: jax.Array,
    key: jax.Array,
  ) -> tuple[jax.Array, Any]:
    disc = disc._replace(params=params)
    reals, stats = score(disc, real, mask)
    fakes, stats = score(disc._replace(stats=stats), fake, mask)
    logs = {
      'disc/real': (reals > form.boundary).mean(),
      'disc/fake': (fakes > form.boundary).mean(),
    }
    loss = form.discriminator(reals, fakes).mean()
    if penalty is not None:
      critic = lambda images: score(disc, images, mask)[0]
      keys = compiling.sample_keys(key, len(real), axis_name=axis_name)
      share = jax.vmap(jax.random.uniform)(keys)
      extra = penalty(critic, real, fake, share).mean()
      loss, logs['disc/penalty'] = loss + penalty_weight * extra, extra
    return loss, (stats, logs | {'disc/loss': loss})

  return disc_loss


def _make_gen_loss(
  discriminator: nn.Module,
  reconstruction: Reconstruction,
  form: Form,
  weight: float,
  extras: list[tuple[str, Callable[..., jax.Array], float]],
  *,
  alone: bool,
) -> Callable[..., tuple[jax.Array, Metrics]]:
  """(loss, metrics) of G's outputs, for `jax.grad`; `alone`: without D."""

  def gen_loss(
    outs: Any, disc: player.Player, target: jax.Array, mask: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    rec = reconstruct(reconstruction, outs, target, mask)
    if alone:
      return rec.mean(), {'gen/rec': rec.mean()}
    fake = composite(jax.tree.leaves(outs)[-1], target, mask)
    (fakes, _), maps = player.features(discriminator, disc, fake, mask)
    adv = form.generator(fakes)
    loss = joint(rec, adv, weight=weight)
    logs = {'gen/rec': rec.mean(), 'gen/adv': adv.mean()}
    if extras:
      _, wanted = player.features(discriminator, disc, target, mask)
    for name, distance, share in extras:
      apart = distance(wanted, maps)
      loss, logs[f'gen/{name}'] = loss + share * apart, apart.mean()
    return loss.mean(), logs

  return gen_loss


def composite(
  output: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """The output inside the hole, the target outside.

  Args:
    output: float `[B, H, W, C]`.
    target: same shape and type.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B, H, W, C]`.
  """
  return mask * output + (1 - mask) * target
