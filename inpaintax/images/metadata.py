"""What a photograph's file says beside its pixels, as far as it stays true.

What was filled may be what nobody should see: so nothing comes along that may
hold a picture of how it was before, as thumbnails and makers' notes do.
"""

import os
from typing import Any, NamedTuple

from PIL import ExifTags, Image

from inpaintax.images import folders, heic

# What an ICC profile calls the colours of an array of so many axes.
SPACES = {2: b'GRAY', 3: b'RGB '}

# Of an image's first directory, which in a TIFF also says how its pixels lie.
_KEPT = (
  ExifTags.Base.ImageDescription,
  ExifTags.Base.Make,
  ExifTags.Base.Model,
  ExifTags.Base.Software,
  ExifTags.Base.DateTime,
  ExifTags.Base.Artist,
  ExifTags.Base.Copyright,
)
# The pictures in a maker's note, places in the old file, and sizes before the
# picture was turned upright.
_DROPPED = (
  ExifTags.Base.MakerNote,
  ExifTags.IFD.Interop,
  ExifTags.Base.ExifImageWidth,
  ExifTags.Base.ExifImageHeight,
)
_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# What every format can hold.
_MAX_DPI = 1 << 16


class Metadata(NamedTuple):
  """Of one photograph, by the names that Pillow saves it with.

  None: the file does not say.

  Attributes:
    icc_profile: of grey or RGB: what its colours mean.
    exif: EXIF of who took it when, where and how; without orientation, which
      the pixels have been through.
    dpi: pixels per inch, across and down.
  """

  icc_profile: bytes | None = None
  exif: bytes | None = None
  dpi: tuple[float, float] | None = None

  def given(self) -> dict[str, Any]:
    """What the file says, as Pillow's `save` takes it.

    Returns:
      Its options by their names, of what there is.
    """
    # To some of Pillow's formats None is no EXIF, but a broken one.
    said = self._asdict().items()
    given = {name: value for name, value in said if value is not None}
    if self.exif is not None:
      # Read here, as Pillow would for a TIFF, and its text lost on the way.
      exif = Image.Exif()
      exif.load(self.exif)
      exif.update({tag: _as_it_is(value) for tag, value in exif.items()})
      given['exif'] = exif
    return given


def read_metadata(path: str | os.PathLike) -> Metadata:
  """What an image file says beside its pixels.

  Args:
    path: a file that `inpaintax.images.read` accepts.

  Returns:
    What is to be kept of it: see `Metadata` and this module's text. A damaged
    EXIF and a resolution that makes no sense count as none.
  """
  with _opened(path) as picture:
    profile, dpi = picture.info.get('icc_profile'), picture.info.get('dpi')
    turned = orientation(picture) in (5, 6, 7, 8)
    try:
      exif = _kept(picture.getexif())
    except Exception:  # As in `orientation`.
      exif = None
  if space(profile) not in SPACES.values():
    profile = None
  # 1: no resolution, but the ratio of a pixel's sides.
  if dpi is not None and not all(1 < float(n) < _MAX_DPI for n in dpi):
    dpi = None
  return Metadata(profile, exif, dpi[::-1] if dpi and turned else dpi)


def count_pictures(path: str | os.PathLike) -> int:
  """How many pictures an image file holds, of which the first one is read.

  Args:
    path: a file that `inpaintax.images.read` accepts.

  Returns:
    Frames of an animation, or pages; of most files 1.
  """
  with _opened(path) as picture:
    return getattr(picture, 'n_frames', 1)


def _opened(path: str | os.PathLike) -> Image.Image:
  with open(path, 'rb') as file:
    heic.prepare(file.read(64), folders.printable(path))
  return Image.open(path)


def orientation(picture: Image.Image) -> int:
  """How a picture must be turned to stand upright.

  Args:
    picture: an opened file.

  Returns:
    1 to 8 as EXIF has it, or a number without meaning; 1, which is upright,
    where the EXIF is damaged or does not say.
  """
  try:
    return picture.getexif().get(ExifTags.Base.Orientation, 1)
  except Exception:  # Whatever a damaged one makes Pillow raise.
    return 1


def space(profile: bytes | None) -> bytes | None:
  """The colours that an ICC profile is for.

  Args:
    profile: the profile.

  Returns:
    Four letters, such as `b'RGB '`; None without a profile.
  """
  # ICC.1:2022, 7.2: bytes 16 to 19 of the header.
  return profile[16:20] if profile else None


def _as_it_is(value: Any) -> Any:
  """A value of EXIF, to be written as it was read.

  Pillow reads text as Latin-1, whatever it is, and writes it as ASCII, with
  question marks for the rest.
  """
  if isinstance(value, str) and not value.isascii():
    return value.encode('latin-1', 'replace')
  return value


def _kept(found: Image.Exif) -> bytes | None:
  """A new EXIF of what stays true, None if that is nothing."""
  exif = Image.Exif()
  exif.update({tag: _as_it_is(found[tag]) for tag in _KEPT if tag in found})
  for directory in _DIRECTORIES:
    values = found.get_ifd(directory)
    values = {t: _as_it_is(v) for t, v in values.items() if t not in _DROPPED}
    if values:
      exif[directory] = values
  return exif.tobytes() if len(exif) else None
