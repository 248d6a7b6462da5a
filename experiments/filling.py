"""The flags that say what holes to measure with, and what they mean."""

from typing import Any

from absl import flags

from experiments import holes, mirror

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
  from inpaintax import restore
  from inpaintax.evaluate import filling

  records = {name: model.record for name, model in trained.items()}
  size = _agreed('size', _SIZE.value, 'image_size', records)
  hole = _hole(size, records)
  methods = [
    filling.Method(
      name,
      restore.make_filler(
        model, batch_size=_BATCH_SIZE.value, mirrored=mirror.MIRRORED.value
      ).fill,
      True,
    )
    for name, model in trained.items()
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
    'mirrored': mirror.MIRRORED.value,
  }
  return found, filling.PROTOCOL, details


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


def _hole(size, records):
  """The side of the centre hole, or None with other masks."""
  from inpaintax.errors import InputError

  if holes.MASK.value == 'center':
    hole = _agreed('hole', _HOLE.value, 'hole', records)
    if hole > size or (size - hole) % 2:
      raise InputError(
        f'--hole={hole} has no exact centre place in {size}x{size} pixels.'
      )
    return hole
  for name, record in records.items():
    if record['hole'] is not None:
      raise InputError(
        f'--mask={holes.MASK.value}: {name} fills only the'
        f' {record["hole"]}x{record["hole"]} pixels in the centre. Use'
        ' --mask=center.'
      )
  if _HOLE.value is not None:
    raise InputError(f'--hole has no meaning with --mask={holes.MASK.value}.')
  return None
