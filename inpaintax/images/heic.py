"""HEIC, the photographs of telephones, which Pillow alone does not read."""

from inpaintax.errors import InputError

# Names of the format, Pillow's of what pillow-heif adds to it.
FORMAT = 'HEIF'
# ISO/IEC 23008-12: of still pictures and of bursts, by HEVC.
_BRANDS = {b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx'}


def boxed(head: bytes) -> bool:
  """Whether a file is one of the boxes of ISO/IEC 14496-12, as AVIF is too.

  Args:
    head: how it begins, 8 bytes or more.

  Returns:
    Whether it is.
  """
  return head[4:8] == b'ftyp'


def prepare(head: bytes, name: str) -> bool:
  """Has Pillow read HEIC from now on, if this is one.

  Args:
    head: how the file begins, 64 bytes or more.
    name: what to call the image in errors.

  Returns:
    Whether it is one.

  Raises:
    InputError: it is, but the extra `heic` is not installed.
  """
  if not boxed(head):
    return False
  # The first box: its length and kind, one brand, a version, more brands.
  box = head[8 : min(int.from_bytes(head[:4]), len(head))]
  brands = {box[place : place + 4] for place in range(0, len(box), 4)}
  if not brands & _BRANDS or b'avif' in brands:
    return False
  try:
    import pillow_heif
  except ImportError as error:
    raise InputError(
      f"{name}: HEIC is read with the extra heic: pip install 'inpaintax[heic]'"
      ', or save the photograph as JPEG or PNG'
    ) from error
  pillow_heif.register_heif_opener()
  return True
