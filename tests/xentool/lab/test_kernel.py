import lzma
import struct
from collections.abc import Callable

import pytest
import zstandard

from xentool.lab import kernel

ELF = b"\x7fELF" + bytes(range(256)) * 4


def image(payload: bytes, setup_sects: int) -> bytes:
    """Lay a bzImage out: sectors that real mode runs, code that unpacks, the payload and its unpacked size."""
    setup = bytearray(((setup_sects or 4) + 1) * 512)
    unpacker = b"\x90" * 77
    setup[0x1F1] = setup_sects
    setup[0x202:0x206] = b"HdrS"
    payload += struct.pack("<I", len(ELF))
    struct.pack_into("<II", setup, 0x248, len(unpacker), len(payload))
    return bytes(setup) + unpacker + payload + b"what follows"


@pytest.mark.parametrize("setup_sects", [0, 4, 39])
@pytest.mark.parametrize("pack", [lambda elf: lzma.compress(elf, check=lzma.CHECK_CRC32), zstandard.compress])
def test_what_debian_packs_is_unpacked(pack: Callable[[bytes], bytes], setup_sects: int) -> None:
    assert kernel.unpacked(image(pack(ELF), setup_sects)) == ELF


@pytest.mark.parametrize("other", [ELF, b"", b"short", image(b"\x04\x22\x4d\x18 lz4", 4)])
def test_another_kernel_stays_as_it_is(other: bytes) -> None:
    assert kernel.unpacked(other) == other
