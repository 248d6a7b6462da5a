"""The flags that say what holes to measure with, and what they mean."""

from typing import Any

from absl import flags

from experiments import finish, holes, program

_SIZE = flags.DEFINE_integer(
  'size',
  None,
  'Side that images are resized and cropped to, pixels, if no model says it.',
  lower_bound=11,
)
_HOLE = flags.DEFINE_integer(
  'hole',
  None,
  'Side of the hole of --mask=center, pixels, if no model says it.',
  lower_bound=1,
)
_BATCH_SIZE = flags.DEFINE_integer(
  'batch_size', 64, 'Images in a batch.', lower_bound=1
)


def measure(
  trained: dict[str, Any], names: list[str], source: Any, **options: Any
) -> tuple[Any, str, dict[str, Any]]:
  """Compares what fills holes.

  Args:
    trained: models by the name of their row.
    names: of classical methods.
    source: photographs.
    **options: of `inpaintax.evaluate.filling.compare`.

  Returns:
    (the evaluation, what its figures are of, the flags that it depends on).

  Raises:
    InputError: the models do not agree with the flags, or among themselves.
  """
  from inpaintax.evaluate import filling

  records = {name: model.record for name, model in trained.items()}
  if not trained:
    program.refuse(['finish', 'features'], 'without --workdir')
  ways = finish.alternatives()
  if not any(wanted['textured'] for wanted in ways.values()):
    program.refuse(['features'], 'without --finish=textured')
  describe = finish.describe()
  size = _side(records)
  hole = _hole(size, records)
  methods = [
    _method(f'{name} {text}'.strip(), model, **wanted, describe=describe)
    for name, model in trained.items()
    for text, wanted in ways.items()
  ]
  found = filling.compare(
    methods + [filling.baseline(name) for name in names],
    source,
    holes.masker(size, hole=hole),
    size=size,
    batch_size=_BATCH_SIZE.value,
    **options,
  )
  details = {
    'size': size,
    'mask': holes.MASK.value,
    'hole': hole,
    'batch_size': _BATCH_SIZE.value,
    'finish': finish.FINISH.value,
    'masks_sha256': found.masks,
  }
  return found, filling.PROTOCOL, details


def _method(label, model, *, textured, describe, **wanted):
  """A model with one way to finish."""
  import numpy as np

  from inpaintax import restore
  from inpaintax.evaluate import filling
  from inpaintax.restore import texture

  fill = restore.make_filler(model, batch_size=_BATCH_SIZE.value, **wanted).fill

  def fill_textured(images, missing):
    filled = fill(images, missing)
    triples = zip(images, filled, missing, strict=True)
    return np.stack(
      [
        texture.refine(*one, share=textured, describe=describe)
        for one in triples
      ]
    )

  return filling.Method(label, fill_textured if textured else fill, True)


def _agreed(flag, value, key, records):
  """What the flag and all models say, which must be the same."""
  from inpaintax.errors import InputError

  said = {f'--{flag}': value}
  said |= {name: record[key] for name, record in records.items()}
  said = {name: side for name, side in said.items() if side is not None}
  if not said:
    raise InputError(f'--{flag} is needed: no model says it.')
  if len(set(said.values())) > 1:
    text = ', '.join(f'{name}: {side}' for name, side in said.items())
    raise InputError(f'--{flag}: models and flag do not agree ({text}).')
  return next(iter(said.values()))


def _side(records):
  """The images' side: what models of one size and --size say, or the others."""
  from inpaintax.errors import InputError

  multiples = {
    name: record['multiple']
    for name, record in records.items()
    if record.get('multiple')
  }
  fixed = {n: record for n, record in records.items() if n not in multiples}
  if _SIZE.value is None and not fixed:
    fixed = records
  size = _agreed('size', _SIZE.value, 'image_size', fixed)
  for name, multiple in multiples.items():
    if size % multiple:
      raise InputError(f'--size={size}: {name} takes multiples of {multiple}.')
  return size


def _hole(size, records):
  """The side of the centre hole, or None with other masks."""
  from inpaintax.errors import InputError

  fixed = {n: r['hole'] for n, r in records.items() if r['hole'] is not None}
  if holes.MASK.value != 'center':
    for name, side in fixed.items():
      raise InputError(
        f'--mask={holes.MASK.value}: {name} fills only the {side}x{side} pixels'
        ' in the centre. Use --mask=center.'
      )
  if 'center' not in holes.names():
    if _HOLE.value is not None:
      raise InputError(f'--hole has no meaning with --mask={holes.MASK.value}.')
    return None
  if records and not fixed and _HOLE.value is None:
    return size // 2
  hole = _agreed('hole', _HOLE.value, 'hole', records)
  if hole >= size or (size - hole) % 2:
    raise InputError(
      f'--hole={hole} has no exact centre place in {size}x{size} pixels.'
    )
  return hole
