"""Linux's bzImage, unpacked: for Xen and xl to boot as it is. When emulated, they unpack for seconds."""

import lzma
import struct

from xentool import extras
from xentool.errors import Unavailable

# Documentation/arch/x86/boot.rst: the header's magic, then where in the protected-mode part the payload is.
_MAGIC = (0x202, b"HdrS")
_SETUP_SECTS, _PAYLOAD = 0x1F1, 0x248
_SECTOR = 512
_XZ, _ZSTD = b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"


def unpacked(image: bytes) -> bytes:
    """Return the ELF in a kernel as Debian ships it; the image itself when it is packed in another way.

    Behind the payload's stream stands its unpacked size (4 bytes), which is left alone.

    :raises Unavailable: it is packed with zstd, and zstandard is not installed
    """
    where, magic = _MAGIC
    if image[where : where + len(magic)] != magic:
        return image
    # 0 stands for 4, in the oldest images.
    setup = ((image[_SETUP_SECTS] or 4) + 1) * _SECTOR
    offset, length = struct.unpack_from("<II", image, _PAYLOAD)
    payload = image[setup + offset : setup + offset + length]
    if payload.startswith(_XZ):
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(_ZSTD):
        return _zstd(payload)
    return image


def _zstd(payload: bytes) -> bytes:
    try:
        import zstandard  # noqa: PLC0415 - an extra that only labs need
    except ImportError:
        raise Unavailable(extras.missing("zstandard", "a lab of this Debian")) from None
    return zstandard.ZstdDecompressor().decompressobj().decompress(payload)
