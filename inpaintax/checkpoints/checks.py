"""What a state must be like, to be saved or gone on from."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from inpaintax.errors import DivergedError, InputError

# How many differences a message names.
_NAMED = 4


def bytes_of(state: Any) -> int:
  """How large a state is.

  Args:
    state: tree of arrays, or of their shapes.

  Returns:
    Bytes, and about those of its checkpoint.
  """
  return sum(
    int(np.prod(x.shape)) * x.dtype.itemsize for x in jax.tree.leaves(state)
  )


def check_same_model(
  place: str | os.PathLike[str],
  found: dict[str, Any],
  wanted: dict[str, Any],
  *,
  flag: str = 'workdir',
) -> None:
  """Refuses a checkpoint of another model.

  Args:
    place: where it was found, for the message.
    found: its record.
    wanted: what must be in it; it may say more.
    flag: that named the place, for the message.

  Raises:
    InputError: they differ; the message says in what.
  """
  apart = _apart(found, wanted, '')
  if apart:
    named = '; '.join(apart[:_NAMED])
    more = f'; and {len(apart) - _NAMED} more' if apart[_NAMED:] else ''
    raise InputError(
      f'{place} holds another model or run: its {named}{more}: give another'
      f' --{flag}, or the flags in its flags.txt.'
    )


def _apart(found: Any, wanted: Any, name: str) -> list[str]:
  """What differs, deep inside."""
  if found == wanted:
    return []
  if not (isinstance(found, dict) and isinstance(wanted, dict)):
    return [f'{name} is {found}, wanted is {wanted}']
  return [
    line
    for key, value in wanted.items()
    for line in _apart(found.get(key), value, f'{name}/{key}'.lstrip('/'))
  ]


def check_finite(step: int, state: Any) -> None:
  """Refuses a state with which nobody could go on.

  Args:
    step: updates done, for the message.
    state: tree of arrays.

  Raises:
    DivergedError: a number in it is not finite; the message says in what.
  """
  leaves = [
    (path, leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    if jnp.issubdtype(leaf.dtype, jnp.inexact)
  ]
  finite = jax.device_get(_finite([leaf for _, leaf in leaves]))
  for (path, _), fine in zip(leaves, finite, strict=True):
    if not fine:
      name = jax.tree_util.keystr(path, simple=True, separator='/')
      raise DivergedError(
        f'{name} is not finite at step {step}, which is not saved: lower the'
        ' learning rate.'
      )


@jax.jit
def _finite(leaves: list[jax.Array]) -> list[jax.Array]:
  return [jnp.isfinite(leaf).all() for leaf in leaves]


def check_arrays(found: Any, like: Any) -> None:
  """Refuses arrays of another shape or type than is asked for.

  Orbax casts a saved array to that type, silently; and where a shape differs
  it abandons what else it was reading, which now and then warns when its
  remains are collected.

  Args:
    found: tree of what is saved, with a `shape` and a `dtype` each.
    like: tree of what is wanted, likewise; there may be more than that.

  Raises:
    ValueError: a shape or a type differs; the message says of what.
  """
  leaves = lambda tree: {
    jax.tree_util.keystr(path, simple=True, separator='/'): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }
  there = leaves(found)
  for name, leaf in leaves(like).items():
    if name not in there:
      continue
    shape, dtype = tuple(there[name].shape), there[name].dtype
    if shape != leaf.shape:
      raise ValueError(f'{name} is of shape {shape}, wanted is {leaf.shape}.')
    if dtype != leaf.dtype:
      raise ValueError(f'{name} is of type {dtype}, wanted is {leaf.dtype}.')
