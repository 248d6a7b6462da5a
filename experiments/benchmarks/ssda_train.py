"""Fine-tuning of the paper's stack, patches and noise drawn on the fly."""

from collections.abc import Callable, Iterator
from typing import Any

from experiments.benchmarks import apart

SIDE = 12
HIDDEN = (720, 720)  # Five times the patch.
SIGMA = 25.0
RATE = 1e-3
# Patches of an update, and what is computed in.
CASES = (
  (64, 'float32'),
  (128, 'float32'),
  (256, 'float32'),
  (256, 'bfloat16'),
)
UPDATES = 50  # Of a call.


def cases(
  rounds: int, wanted: Callable[[str], bool]
) -> Iterator[dict[str, Any]]:
  """Measures patches per second.

  Args:
    rounds: turns.
    wanted: whether a case of that name is.

  Yields:
    As `apart.against`.
  """
  from experiments.benchmarks import torch_patches, torch_steps

  for batch, dtype in CASES:
    name = f'{SIDE}x{SIDE} K={len(HIDDEN)} units {HIDDEN[0]} batch {batch}'
    name += '' if dtype == 'float32' else f' {dtype}'
    if not wanted(name):
      continue
    difference, operations = torch_patches.compared(batch)
    yield from apart.against(
      name,
      {'inpaintax': (our_turn, batch, dtype)},
      {
        side: (torch_patches.training, batch, options.get('compiled'), dtype)
        for side, options in torch_steps.variants().items()
        if side != 'torch channels-last'  # There are no maps.
      },
      difference=difference,
      unit='patches',
      work=UPDATES * batch,
      operations=operations,
      rounds=rounds,
    )


def our_turn(batch: int, dtype: str = 'float32') -> Callable[[], Any]:
  """What our side does in a turn.

  Args:
    batch: patches of an update.
    dtype: of the computation.

  Returns:
    Does it, and waits.
  """
  run, _ = ours(batch, dtype)
  return run


def pool() -> Any:
  """Photographs to cut patches from.

  Returns:
    A `data.pool.Pool`.
  """
  from inpaintax.data import pool as pools
  from inpaintax.data import sources

  return pools.load(sources.open_source('photos:train'), side=SIDE)


def ours(batch: int, dtype: str = 'float32') -> tuple[Callable[[], Any], Any]:
  """Our updates, compiled.

  Args:
    batch: patches of an update.
    dtype: of the computation.

  Returns:
    (makes `UPDATES` and waits for them; a copy of the state before the first).
  """
  import jax
  import jax.numpy as jnp
  import optax

  from experiments import threefry
  from inpaintax import images
  from inpaintax.corruptions.noise import gaussian
  from inpaintax.data import pool as pools
  from inpaintax.models.ssda import StackedAutoencoder
  from inpaintax.steps import compile as compiling
  from inpaintax.steps import pretraining, supervised
  from inpaintax.types import Sample

  threefry.unroll()  # As our program does.
  model = StackedAutoencoder(SIDE, HIDDEN, dtype=jnp.dtype(dtype))
  tx = optax.adam(RATE)

  def draw(keys, photographs):
    place, over = jax.vmap(lambda key: jax.random.split(key), out_axes=1)(keys)
    target = images.to_float(pools.cut(place, photographs, side=SIDE))
    observed = gaussian(over, target, sigma=SIGMA)
    return Sample(observed, target, jnp.ones_like(target))

  loss = pretraining.make_stage_loss(model, stage=2, weight_decay=1e-6)
  step = pretraining.make_stage_step(loss, tx, first=0)
  compiled = compiling.compile_draws(
    compiling.with_draws(step, draw, seed=0, updates=UPDATES),
    pool(),
    batch_size=batch,
  )
  image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 1), jnp.float32)
  state = supervised.init_supervised(jax.random.key(0), model, tx, image=image)
  first = jax.device_get(state)
  held = [compiled.place_state(state)]

  def run():
    held[0], _ = compiled.step(held[0], compiled.place(None))
    jax.block_until_ready(held[0])

  return run, first
