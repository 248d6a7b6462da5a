"""PNG files of our own, for sizes that no library would write."""

import struct
import zlib


def chunk(kind, body):
  check = zlib.crc32(kind + body)
  return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', check)


def bomb(side, text=0):
  """A header of so many pixels, and so many bytes of packed text."""
  head = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
  data = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head)
  if text:
    data += chunk(b'zTXt', b'Comment\0\0' + zlib.compress(bytes(text), 9))
  return data + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')
