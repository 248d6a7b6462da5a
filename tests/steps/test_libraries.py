"""Which library multiplies: the same values, by the one that suits a step."""

import jax
import numpy as np
import pytest
from arrays import whole
from jax import numpy as jnp

from inpaintax.steps import libraries

SMALL = (64, 32, 48)


def product(rows, length, columns, dtype=jnp.float32):
  """(a function of a number that has this product, nested; its value at 1)."""
  a = whole(rows, length).astype(dtype)
  b = whole(length, columns, seed=1).astype(dtype)
  return lambda x: ((x * a).astype(dtype) @ b).sum().astype(jnp.float32)


def program(products):
  """Of all of them, half within a function of its own."""

  def total(x):
    inner = jax.jit(lambda x: sum(one(x) for one in products[::2]))
    return inner(x) + sum(one(x) for one in products[1::2])

  return total


@pytest.mark.parametrize(
  ('others', 'suited'),
  [
    ([SMALL] * 2, True),
    ([SMALL], False),  # Too few.
    ([SMALL, (2000, 8, 8)], True),
    ([SMALL, (8, 2000, 8)], True),
    ([SMALL, (8, 1024, 1024)], False),
    ([SMALL, (1024, 8, 1024)], False),
    ([SMALL, (8, 1023, 1024)], True),
    ([SMALL, (*SMALL, jnp.bfloat16)], False),
  ],
)
def test_many_products_of_middle_size_are_eigens(monkeypatch, others, suited):
  monkeypatch.setattr(libraries, '_MANY', 5)
  total = program([product(*one) for one in [SMALL] * 3 + others])
  jaxpr = jax.make_jaxpr(total)(1.0).jaxpr
  assert libraries.suits_eigen(jaxpr) == suited


@pytest.mark.parametrize('within', [jax.grad, jax.vmap])
def test_products_are_found_in_gradients_and_batches(monkeypatch, within):
  monkeypatch.setattr(libraries, '_MANY', 2)
  loop = lambda x: jax.lax.scan(
    lambda x, _: (product(*SMALL)(x), None), x, length=2
  )[0]
  total = lambda x: loop(x) + jnp.sin(product(*SMALL)(x))
  x = jnp.ones(2) if within is jax.vmap else 1.0
  jaxpr = jax.make_jaxpr(within(total))(x).jaxpr
  assert libraries.suits_eigen(jaxpr)


@pytest.mark.skipif(
  jax.default_backend() != 'cpu', reason='elsewhere there is no choice'
)
@pytest.mark.parametrize('many', [2, 3])
def test_a_step_is_compiled_with_what_suits_it(monkeypatch, many):
  monkeypatch.setattr(libraries, '_MANY', many)
  total = program([product(*SMALL), product(*SMALL)])
  made = []

  def make(options):
    made.append(options)
    return jax.jit(total, compiler_options=options)

  jitted = libraries.Jitted(make)
  lowered = jitted.lower(jax.ShapeDtypeStruct((), jnp.float32))
  kinds = lowered.compile().as_text()
  assert ('__ynn_fusion' in kinds) == (many == 3)
  np.testing.assert_array_equal(jitted(1.0), total(1.0))
  np.testing.assert_array_equal(jitted(2.0), 2 * total(1.0))
  # Each way once, however often it is asked for.
  assert len(made) == (2 if many == 2 else 1)


def test_an_xla_without_the_choice_makes_its_own(monkeypatch):
  monkeypatch.setattr(libraries, '_MANY', 1)
  monkeypatch.setattr(libraries, '_EIGEN', {'xla_cpu_no_such_option': '1'})
  monkeypatch.setattr(libraries, '_has_eigen', libraries._has_eigen.__wrapped__)
  total = program([product(*SMALL), product(*SMALL)])
  jitted = libraries.Jitted(
    lambda options: jax.jit(total, compiler_options=options)
  )
  np.testing.assert_array_equal(jitted(1.0), total(1.0))


def test_for_a_debugger_nothing_is_traced():
  seen = []

  def total(x):
    seen.append(float(x))
    return x

  with jax.disable_jit():
    jitted = libraries.Jitted(
      lambda options: jax.jit(total, compiler_options=options)
    )
    assert jitted(jnp.float32(2)) == 2
  assert seen == [2]
