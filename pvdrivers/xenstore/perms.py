"""Who may do what with a node.

A node has a list of entries. The first names its owner, who may do everything, as domain 0 may; its letter is for
those whom no other entry names.

Ref: tools/xenstored/core.c, perm_for_conn(); tools/include/xen-tools/xenstore-common.h
"""

import re
from errno import EINVAL
from typing import NamedTuple, Protocol

from pvdrivers.xenstore.errors import StoreError

NONE = 0
READ = 1
WRITE = 2
OWNER = 8
#: Marks an entry that names nobody: it is shown, and grants nothing.
VOID = 16

#: Stands in an entry for every domain.
DOMID_ANY = 0x7FF5

_LETTERS = {b"n": NONE, b"r": READ, b"w": WRITE, b"b": READ | WRITE}
_LETTER_OF = {access: letter for letter, access in _LETTERS.items()}
_ENTRY = re.compile(rb"([nrwb])(\d{1,9})")


class Perm(NamedTuple):
    """One entry."""

    access: int
    domid: int


Perms = tuple[Perm, ...]


class Subject(Protocol):
    """Who asks."""

    @property
    def domid(self) -> int:
        """Number of the domain."""
        ...

    @property
    def privileged(self) -> bool:
        """Whether it is domain 0."""
        ...

    @property
    def target(self) -> int | None:
        """The domain that it serves (a stub domain its guest), whose rights it has too."""
        ...


def parse(text: bytes) -> Perm:
    """Read an entry: ``r5``.

    :raises StoreError: EINVAL
    """
    entry = _ENTRY.fullmatch(text)
    if entry is None:
        raise StoreError(EINVAL)
    return Perm(_LETTERS[entry[1]], int(entry[2]))


def formatted(perms: Perms) -> bytes:
    """Write entries as GET_PERMS tells them, a NUL behind each."""
    return b"".join(b"%b%d\0" % (_LETTER_OF[access & ~VOID], domid) for access, domid in perms)


def access(perms: Perms, who: Subject) -> int:
    """Tell what somebody may do: bits of READ, WRITE, OWNER."""
    if who.privileged:
        return READ | WRITE | OWNER
    meant = (who.domid, who.target, DOMID_ANY)
    if perms[0].domid in meant:
        return READ | WRITE | OWNER
    for granted, domid in perms[1:]:
        if domid in meant and not granted & VOID:
            return granted
    return perms[0].access
