"""The numbers of virtual disks in XenStore, and their names.

Ref: docs/man/xen-vbd-interface.7.pandoc, "Concrete encoding in the VBD interface"
"""

import re

from xentool.errors import XentoolError

_XVD = re.compile(r"xvd([a-z]{1,4})([1-9][0-9]{0,2})?")
_EXTENDED = 1 << 28
_RESERVED = 2 << 28


def name(number: int) -> str:
    """Name a virtual disk as a guest's configuration does: 51712 is xvda. A number that has no name names itself."""
    if _EXTENDED <= number < _RESERVED:
        return _named("xvd", number >> 8 & 0xFFFFF, number & 0xFF)
    if number >> 8 in (3, 22):
        first = 0 if number >> 8 == 3 else 2
        return _named("hd", first + (number >> 6 & 3), number & 0x3F)
    kind = {202: "xvd", 8: "sd"}.get(number >> 8)
    return _named(kind, number >> 4 & 0xF, number & 0xF) if kind else str(number)


def _named(kind: str, disk: int, partition: int) -> str:
    letters = ""
    disk += 1
    while disk:
        disk, letter = divmod(disk - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return f"{kind}{letters}{partition or ''}"


def number(text: str) -> int:
    """Give the number of a virtual disk: xvda is 51712, as is 51712.

    :raises XentoolError: there is no such disk
    """
    if text.isascii() and text.isdigit() and int(text) < _RESERVED:
        return int(text)
    found = _XVD.fullmatch(text)
    if not found or int(found[2] or 0) > 255:
        raise XentoolError(f"{text!r} is no virtual disk such as xvda or xvdb1")
    disk = 0
    for letter in found[1]:
        disk = disk * 26 + ord(letter) - ord("a") + 1
    return number_of(disk - 1, int(found[2] or 0))


def number_of(disk: int, partition: int = 0) -> int:
    """Give the number of a disk, counted from xvda, or of its partition."""
    if disk < 16 and partition < 16:
        return 202 << 8 | disk << 4 | partition
    return _EXTENDED | disk << 8 | partition
