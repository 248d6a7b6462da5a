"""Training on patches, as one writes it in PyTorch."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from experiments.benchmarks import (
  ssda_train,
  torch_networks,
  torch_steps,
  torch_weights,
)
from experiments.benchmarks.ssda_train import (
  HIDDEN,
  RATE,
  SIDE,
  SIGMA,
  UPDATES,
)

# Of pixels in [-1, 1], and of noise in grey levels: see models.ssda.
_GAIN = 2.5
_LEVELS = 127.5


def difference(params: Any) -> float:
  """How far PyTorch's stack with our weights is from ours.

  Args:
    params: ours.

  Returns:
    The largest difference between their codes, absolute.
  """
  import jax

  from inpaintax.models.ssda import StackedAutoencoder

  peer = torch_networks.stacked_autoencoder(SIDE**2, HIDDEN)
  torch_weights.stacked_autoencoder(peer, params)
  shape = (64, SIDE**2)
  code = np.random.default_rng(1).normal(size=shape).astype(np.float32)
  model = StackedAutoencoder(SIDE, HIDDEN)
  with jax.default_matmul_precision('float32'):  # A GPU has TF32.
    wanted = jax.jit(
      lambda code: model.apply({'params': params}, code, method='denoise')
    )(code)
  with torch.no_grad():
    found = peer(torch.from_numpy(code)).numpy()
  return float(np.abs(found - np.asarray(wanted)).max())


def compared(batch: int) -> tuple[float, float]:
  """Whether both sides compute the same, and how much that is.

  Args:
    batch: patches of an update.

  Returns:
    (the largest difference between the stacks' codes with our weights,
    absolute; floating-point operations of a turn).
  """
  _, state = ssda_train.ours(batch)
  operations = torch_steps.operations(training(batch, None))
  return difference(state.gen.params), operations


def _ways() -> torch.Tensor:
  """Rows and columns of a patch, turned and mirrored, `[8, 2, side**2]`."""
  grid = np.stack(np.meshgrid(range(SIDE), range(SIDE), indexing='ij'))
  found = []
  for down, right, turned in itertools.product((1, -1), (1, -1), (0, 1)):
    part = grid[:, ::down, ::right]
    found.append((part.swapaxes(1, 2) if turned else part).reshape(2, -1))
  return torch.from_numpy(np.stack(found))


def training(
  batch: int, compiled: str | None, dtype: str = 'float32'
) -> Callable[[], Any]:
  """Makes what trains the stack; on a GPU, in TF32 as ours does.

  Args:
    batch: patches of an update.
    compiled: mode of `torch.compile` for the network and its loss, or None.
    dtype: float32, or bfloat16 where PyTorch's autocast uses it.

  Returns:
    Makes `UPDATES` updates and waits for them.
  """
  place = torch_steps.device()
  network = torch_networks.stacked_autoencoder(SIDE**2, HIDDEN).to(place)
  adam = torch.optim.Adam(network.parameters(), RATE, fused=True)
  pixels, starts, sizes = (
    torch.from_numpy(np.array(part)).to(place) for part in ssda_train.pool()
  )
  ways = _ways().to(place)
  places = (sizes - SIDE + 1).prod(1)
  ends = places.cumsum(0)
  weights = [layer.weight for layer in network[::2]]

  def draw():
    spot = torch.randint(int(ends[-1]), (batch,), device=place)
    image = torch.searchsorted(ends, spot, right=True)
    spot = spot - (ends[image] - places[image])
    width = sizes[image, 1]
    across = width - SIDE + 1
    row, column = spot // across, spot % across
    rows, columns = ways[torch.randint(8, (batch,), device=place)].unbind(1)
    at = starts[image] + row * width + column
    at = at[:, None] + rows * width[:, None] + columns
    clean = pixels[at].float() / _LEVELS - 1
    noisy = clean + SIGMA / _LEVELS * torch.randn_like(clean)
    return _GAIN * noisy, _GAIN * clean

  def loss_of(noisy, clean):
    rec = 0.5 * (network(noisy) - clean).square().sum(1).mean()
    return rec + 0.5e-6 * sum(weight.square().sum() for weight in weights)

  if compiled:
    loss_of = torch.compile(loss_of, mode=compiled)

  def run():
    for _ in range(UPDATES):
      with torch.autocast(place.type, torch.bfloat16, dtype == 'bfloat16'):
        loss = loss_of(*draw())
      adam.zero_grad()
      loss.backward()
      adam.step()
    float(loss.detach())  # Waits.

  return run
