import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from inpaintax import checkpoints, models
from inpaintax.errors import CheckpointError, DivergedError, InputError
from inpaintax.losses import reconstruction
from inpaintax.losses.adversarial import ADVERSARIAL
from inpaintax.steps import compile as compiling
from inpaintax.steps import gan
from inpaintax.types import Sample

RECORD = {
  'generator': {
    'name': 'context_generator',
    'options': {
      'encoder_widths': [4],
      'decoder_widths': [8],
      'bottleneck_width': 6,
    },
  },
  'discriminator': {
    'name': 'context_discriminator',
    'options': {'widths': [4, 8]},
  },
  'image_size': 8,
  'block': None,
  'hole': 4,
  'mask': 'center',
  'fill': [-0.03, -0.08, -0.18],
}
IMAGE = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32)
TXS = optax.adam(1e-3), optax.adam(optax.linear_schedule(1e-3, 0, 10))
POSITION = {'epoch': 2, 'at': [5, 7], 'nested': {'seed': 'x'}}


def make_state(seed=0):
  players = (
    models.build(RECORD['generator']),
    models.build(RECORD['discriminator']),
  )
  return gan.init_gan(jax.random.key(seed), *players, *TXS, image=IMAGE)


@pytest.fixture(scope='module')
def states():
  """Three states that differ in every number."""
  count = iter(range(10**6))

  def filled(leaf):
    first = next(count) + 2
    return np.linspace(first, first + 1, leaf.size).reshape(leaf.shape)

  state = make_state()
  fill = lambda leaf: jnp.asarray(filled(leaf).astype(leaf.dtype))
  return [jax.tree.map(fill, state) for _ in range(3)]


def save(workdir, steps, **options):
  with checkpoints.Checkpoints(str(workdir), **options) as saver:
    for step, state in steps.items():
      saver.save(step, state, record=RECORD, position=POSITION)


def restore(workdir, like, record=RECORD):
  with checkpoints.Checkpoints(str(workdir)) as saver:
    return saver.restore(like, record=record)


def test_a_state_comes_back_bit_for_bit_with_its_types(tmp_path, states):
  save(tmp_path, {3: states[0], 7: states[1]})
  saved = restore(tmp_path, states[2])
  assert jax.tree.structure(saved.state) == jax.tree.structure(states[1])
  chex.assert_trees_all_equal(saved.state, states[1])
  chex.assert_trees_all_equal_dtypes(saved.state, states[1])
  assert type(saved.state) is gan.GanState
  assert saved.position == POSITION


def test_a_new_run_has_nothing_to_go_on_from(tmp_path, states):
  with checkpoints.Checkpoints(str(tmp_path)) as saver:
    assert saver.latest() is None
    assert saver.restore(states[0], record=RECORD) is None


def test_the_newest_are_kept(tmp_path, states):
  save(tmp_path, {n: states[n % 3] for n in (1, 2, 3, 4)}, keep=2)
  left = {path.name for path in (tmp_path / 'checkpoints').iterdir()}
  assert left == {'3', '4'}
  with checkpoints.Checkpoints(str(tmp_path)) as saver:
    assert saver.latest() == 4


def test_three_are_kept_if_nothing_is_said(tmp_path):
  save(tmp_path, {n: {'w': jnp.float32(n)} for n in range(1, 6)})
  left = {path.name for path in (tmp_path / 'checkpoints').iterdir()}
  assert left == {'3', '4', '5'}


def test_a_step_saved_twice_is_saved_once(tmp_path):
  first, second = {'w': jnp.float32(1)}, {'w': jnp.float32(2)}
  with checkpoints.Checkpoints(str(tmp_path)) as saver:
    saver.save(5, first, record=RECORD, position=0)
    saver.save(5, second, record=RECORD, position=1)
  save(tmp_path, {5: second})  # And by another run.
  saved = restore(tmp_path, second)
  assert saved.state == {'w': 1} and saved.position == 0


def test_what_is_saved_is_the_state_then_though_training_goes_on(tmp_path):
  # The state is donated: its memory is written over while the save runs.
  compiled = compiling.compile_step(
    lambda state, batch: (jax.tree.map(lambda x: x + 1, state), {}), devices=1
  )
  state = compiled.place_state(
    {str(i): jnp.zeros((256, 256)) for i in range(16)}
  )
  batch = compiled.place(np.zeros((1, 1, 1, 3), np.uint8))
  with checkpoints.Checkpoints(str(tmp_path)) as saver:
    for step in range(1, 40):
      state, _ = compiled.step(state, batch)
      if step == 4:
        saver.save(step, state, record=RECORD, position=step)
  for leaf in restore(tmp_path, state).state.values():
    np.testing.assert_array_equal(leaf, 4.0)


@pytest.mark.parametrize('axis_name', [None, 'devices'], ids=['jit', 'pmap'])
def test_a_run_cut_in_two_is_the_run_in_one_piece(tmp_path, axis_name):
  def corrupt(keys, images):
    draw = lambda key: jax.random.bernoulli(key, 0.3, (8, 8, 1))
    mask = jax.vmap(draw)(keys).astype(jnp.float32)
    return Sample(images * (1 - mask), images, mask)

  step = gan.make_gan_step(
    models.build(RECORD['generator'], axis_name=axis_name),
    models.build(RECORD['discriminator'], axis_name=axis_name),
    *TXS,
    reconstruction=reconstruction.masked_l2,
    form=ADVERSARIAL['bce'],
    axis_name=axis_name,
  )
  compiled = compiling.compile_step(
    compiling.with_corruption(step, corrupt, seed=0, axis_name=axis_name),
    axis_name=axis_name,
    devices=2,
  )
  batches = np.random.default_rng(0).integers(0, 255, (4, 4, 8, 8, 3), np.uint8)

  def train(state, batches):
    for batch in batches:
      state, _ = compiled.step(state, compiled.place(batch))
    return state

  begin = lambda: compiled.place_state(make_state())
  save(tmp_path, {2: train(begin(), batches[:2])})
  saved = restore(tmp_path, begin())
  whole = jax.device_get(train(begin(), batches))
  parts = jax.device_get(train(saved.state, batches[2:]))
  chex.assert_trees_all_equal(parts, whole)
  assert parts.step == 4


@pytest.mark.parametrize('count', [1, 2, 8])
def test_a_state_is_restored_onto_other_devices(tmp_path, states, count):
  place = lambda count: compiling.compile_step(lambda *a: a, devices=count)[2]
  save(tmp_path, {1: place(4)(states[0])})
  wanted = place(count)(states[1])
  saved = restore(tmp_path, wanted).state
  chex.assert_trees_all_equal(jax.device_get(saved), jax.device_get(states[0]))
  for leaf, like in zip(
    jax.tree.leaves(saved), jax.tree.leaves(wanted), strict=True
  ):
    assert leaf.sharding == like.sharding


def test_the_generator_comes_alone_and_equal(tmp_path, states):
  state = compiling.compile_step(lambda *a: a, devices=4)[2](states[0])
  save(tmp_path, {9: state})
  trained = checkpoints.load_generator(str(tmp_path))
  assert trained.step == 9 and trained.record == RECORD
  assert set(trained.variables) == {'params', 'batch_stats'}
  chex.assert_trees_all_equal(
    trained.variables,
    {'params': states[0].gen.params, 'batch_stats': states[0].gen.stats},
  )
  # Ready for use, on one device.
  module = models.build(trained.record['generator'])
  image, mask = jnp.zeros((1, 8, 8, 3)), jnp.zeros((1, 8, 8, 1))
  out = module.apply(trained.variables, image, mask, train=False)
  assert out.shape == (1, 8, 8, 3) and len(out.sharding.device_set) == 1


def test_no_checkpoint_is_said_to_be_none(tmp_path):
  with pytest.raises(CheckpointError, match=r'no checkpoints in .*nowhere'):
    checkpoints.load_generator(str(tmp_path / 'nowhere'))
  with checkpoints.Checkpoints(str(tmp_path)):
    pass
  with pytest.raises(CheckpointError, match='no complete checkpoint'):
    checkpoints.load_generator(str(tmp_path))


def test_a_run_of_another_record_is_refused_and_the_difference_named(
  tmp_path, states
):
  save(tmp_path, {1: states[0]})
  options = RECORD['generator']['options'] | {'bottleneck_width': 8}
  generator = RECORD['generator'] | {'options': options}
  for other, said in [
    (RECORD | {'hole': 2}, 'hole'),
    (RECORD | {'generator': generator}, 'bottleneck_width'),
    (RECORD | {'discriminator': None}, 'discriminator'),
  ]:
    with pytest.raises(InputError, match=said) as caught:
      restore(tmp_path, states[1], other)
    assert str(tmp_path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_all_differences_from_another_run_are_named_if_few():
  wanted = {'width': 8, 'options': dict.fromkeys('abcde', 1)}
  with pytest.raises(InputError) as found:
    checkpoints.check_same_model('runs/a', {'width': 16}, wanted)
  assert 'runs/a' in str(found.value) and '--workdir' in str(found.value)
  assert 'width is 16, wanted is 8; options is None' in str(found.value)
  other = {'width': 8, 'options': dict.fromkeys('abcde', 2), 'more': 1}
  with pytest.raises(InputError) as found:
    checkpoints.check_same_model('runs/a', other, wanted, flag='init_from')
  named = [f'options/{c} is 2, wanted is 1' for c in 'abcd']
  assert '; '.join(named) + '; and 1 more: give' in str(found.value)
  assert '--init_from' in str(found.value)
  checkpoints.check_same_model('runs/a', wanted | {'more': 1}, wanted)


def test_a_state_of_another_model_is_refused(tmp_path, states):
  save(tmp_path, {1: states[0]})
  for like in (states[0].gen, states[0]._replace(disc=None)):
    with pytest.raises(CheckpointError, match='checkpoint 1 '):
      restore(tmp_path, like)


def test_an_array_of_another_shape_is_refused(tmp_path):
  save(tmp_path, {1: {'w': jnp.ones(4)}})
  for shape in [(5,), (3,), (2, 2), (4, 1)]:
    with pytest.raises(CheckpointError, match='checkpoint 1 ') as caught:
      restore(tmp_path, {'w': jnp.ones(shape)})
    said = f'w is of shape (4,), wanted is {shape}'
    assert said in str(caught.value)


def test_a_generator_with_an_array_of_another_shape_is_refused(
  tmp_path, states
):
  gen = states[0].gen
  wider = jax.tree.map(lambda x: jnp.zeros((2, *x.shape)), gen.params)
  save(tmp_path, {1: states[0]._replace(gen=gen._replace(params=wider))})
  with pytest.raises(CheckpointError, match=r'gen/params/.* is of shape'):
    checkpoints.load_generator(str(tmp_path))


def test_a_generator_that_lacks_an_array_is_refused(tmp_path, states):
  gen = states[0].gen
  params = {k: v for k, v in gen.params.items() if k != 'output'}
  save(tmp_path, {1: states[0]._replace(gen=gen._replace(params=params))})
  with pytest.raises(CheckpointError, match=r"lacks .*\['output'\]"):
    checkpoints.load_generator(str(tmp_path))


def test_an_array_of_another_type_is_refused(tmp_path):
  save(tmp_path, {1: {'w': jnp.ones(4, jnp.bfloat16)}})
  with pytest.raises(CheckpointError, match='w is of type bfloat16, wanted'):
    restore(tmp_path, {'w': jnp.ones(4)})


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_never_saved(tmp_path, value):
  good = {'w': jnp.ones(4), 'n': jnp.int32(3)}
  bad = good | {'w': jnp.array([1, value, 1, 1])}
  with checkpoints.Checkpoints(str(tmp_path)) as saver:
    saver.save(1, good, record=RECORD, position=0)
    with pytest.raises(DivergedError, match='w is not finite at step 2'):
      saver.save(2, bad, record=RECORD, position=0)
    assert saver.latest() == 1
    saver.save(3, good, record=RECORD, position=0)
  assert restore(tmp_path, good).step == 3
