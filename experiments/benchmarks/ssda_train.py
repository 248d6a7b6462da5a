"""Fine-tuning of the paper's stack, patches and noise drawn on the fly."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from experiments.benchmarks import timing

SIDE = 12
HIDDEN = (720, 720)  # Five times the patch.
SIGMA = 25.0
RATE = 1e-3
BATCH = 256
UPDATES = 50  # Of a call.
_TOLERANCE = 1e-4


def cases(
  rounds: int, wanted: Callable[[str], bool]
) -> Iterator[dict[str, Any]]:
  """Measures patches per second.

  Args:
    rounds: turns.
    wanted: whether a case of that name is.

  Yields:
    Plain JSON: `case`, `unit`, `rows` of `timing.rows`, `forward_difference`.

  Raises:
    RuntimeError: the peer computes something else.
  """
  from experiments.benchmarks import torch_patches, torch_steps

  name = f'{SIDE}x{SIDE}, {HIDDEN[0]} units, K = 2, batch {BATCH}'
  if not wanted(name):
    return
  run, state, pool = ours()
  network, difference = torch_patches.network(state.gen.params)
  if difference > _TOLERANCE:
    raise RuntimeError(f'the peer differs by {difference:.1e}.')
  peers, failed = torch_steps.that_work(
    {
      name: torch_patches.training(
        copy.deepcopy(network), pool, compiled=options.get('compiled')
      )
      for name, options in torch_steps.variants().items()
      if name != 'torch channels-last'  # There are none.
    }
  )
  operations = torch_steps.operations(peers['torch'])
  work = UPDATES * BATCH
  sides = [timing.Side('inpaintax', run, work, operations)]
  sides += [
    timing.Side(name, peer, work, operations) for name, peer in peers.items()
  ]
  sides += timing.ceilings()
  seconds = timing.interleaved(sides, rounds=rounds)
  yield {
    'case': name,
    'unit': 'patches',
    'rows': timing.rows(sides, seconds, ours='inpaintax'),
    **failed,
    'forward_difference': difference,
  }


def ours() -> tuple[Callable[[], Any], Any, Any]:
  """Our updates, compiled.

  Returns:
    (makes `UPDATES` and waits for them; a copy of the state before the first;
    the images, a `data.pool.Pool`).
  """
  import jax
  import jax.numpy as jnp
  import optax

  from inpaintax import images
  from inpaintax.corruptions.noise import gaussian
  from inpaintax.data import pool as pools
  from inpaintax.data import sources
  from inpaintax.models.ssda import StackedAutoencoder
  from inpaintax.steps import compile as compiling
  from inpaintax.steps import pretraining, supervised
  from inpaintax.types import Sample

  pool = pools.load(sources.open_source('photos:train'), side=SIDE)
  model = StackedAutoencoder(SIDE, HIDDEN)
  tx = optax.adam(RATE)

  def draw(keys, pool):
    place, over = jax.vmap(lambda key: jax.random.split(key), out_axes=1)(keys)
    target = images.to_float(pools.cut(place, pool, side=SIDE))
    observed = gaussian(over, target, sigma=SIGMA)
    return Sample(observed, target, jnp.ones_like(target))

  loss = pretraining.make_stage_loss(model, stage=2, weight_decay=1e-6)
  step = pretraining.make_stage_step(loss, tx, first=0)
  compiled = compiling.compile_draws(
    compiling.with_draws(step, draw, seed=0, updates=UPDATES),
    pool,
    batch_size=BATCH,
  )
  image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 1), jnp.float32)
  state = supervised.init_supervised(jax.random.key(0), model, tx, image=image)
  first = jax.device_get(state)
  held = [compiled.place_state(state)]

  def run():
    held[0], _ = compiled.step(held[0], compiled.place(None))
    jax.block_until_ready(held[0])

  return run, first, pool
