"""A disk that a PC's firmware boots, made without mounting it: GRUB, and one partition with a root file system.

Ref: GRUB's manual, "BIOS installation": 440 bytes of boot.img in the first sector, core.img in those behind it, which
are free up to the first partition.
"""

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

SECTOR = 512
#: Where the partition begins.
START = 2048
#: Of its tables, each has four entries behind the code, and ends with two bytes by which firmware knows it.
CODE, ENTRIES, SIGNATURE = 440, 446, b"\x55\xaa"
_ACTIVE, _LINUX = 0x80, 0x83
#: A place as cylinder, head and sector, beyond what those can say.
_NO_CHS = b"\xfe\xff\xff"


def boot_sector(code: bytes, sectors: int) -> bytes:
    """Make a disk's first sector, with one partition from ``START`` to its end.

    :param code: of which the first 440 bytes are taken
    :param sectors: of the disk
    """
    entry = struct.pack("<B3sB3sII", _ACTIVE, _NO_CHS, _LINUX, _NO_CHS, START, sectors - START)
    return (code[:CODE].ljust(ENTRIES, b"\0") + entry).ljust(SECTOR - len(SIGNATURE), b"\0") + SIGNATURE


def make(target: Path, tree: Path, uuid: str, grub: Path, mib: int, run: Callable[[Sequence[str]], None]) -> None:
    """Make a raw disk, sparse.

    :param tree: what is in its root file system
    :param uuid: of that file system
    :param grub: a folder with GRUB's ``boot.img`` and ``core.img``
    :param run: how programs are run
    """
    core = (grub / "core.img").read_bytes()
    assert len(core) <= (START - 1) * SECTOR, "core.img would reach into the partition"
    sectors = mib * (1 << 20) // SECTOR
    with target.open("wb") as file:
        file.write(boot_sector((grub / "boot.img").read_bytes(), sectors))
        file.write(core)
        os.truncate(file.fileno(), sectors * SECTOR)
    # What GRUB 2.06 cannot read is left out.
    options = ["-O", "^orphan_file,^metadata_csum_seed", "-E", f"offset={START * SECTOR},lazy_itable_init=1"]
    size = f"{(sectors - START) * SECTOR >> 10}k"
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-U", uuid, *options, "-m", "0", "-d", str(tree), str(target), size])
