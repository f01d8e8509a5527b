"""The numbers of virtual disks in XenStore, and their names.

Ref: docs/man/xen-vbd-interface.7.pandoc, "Concrete encoding in the VBD interface"
"""

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
