"""Paths of nodes, as bytes: which are valid, and who is whose parent.

Ref: tools/xenstored/core.c, canonicalize() and get_parent()
"""

import re
from errno import EINVAL

from pvdrivers.xenstore.errors import StoreError

ROOT = b"/"

# No empty component, no slash at the end but that of the root. "@" begins the special nodes, and may stand anywhere.
_VALID = re.compile(rb"/|[A-Za-z0-9@_-]*(?:/[A-Za-z0-9@_-]+)*")
_OF_A_DOMAIN = re.compile(rb"/local/domain/[0-9]{1,5}/")


def canonical(path: bytes, home: bytes, *, special: bool = False) -> bytes:
    """Make a path absolute.

    :param home: what a relative path begins in: ``/local/domain/5``
    :param special: whether one that begins with ``@`` will do
    :raises StoreError: EINVAL
    """
    if not path or not _VALID.fullmatch(path) or (path[0] == ord("@") and not special):
        raise StoreError(EINVAL)
    return path if path[0] in b"/@" else home + b"/" + path


def limited_length(path: bytes) -> int:
    """Count the bytes to which the quota ``path-max`` applies: those behind ``/local/domain/N/``."""
    prefix = _OF_A_DOMAIN.match(path)
    return len(path) - (prefix.end() if prefix else 0)


def parent(path: bytes) -> bytes:
    """Give the path above; the root's for itself and for special nodes."""
    return path[: max(path.rfind(b"/", 1), 0)] or ROOT


def name(path: bytes) -> bytes:
    """Give a path's last component."""
    return path[path.rfind(b"/") + 1 :]


def child(path: bytes, component: bytes) -> bytes:
    """Give the path of a node's child."""
    return (b"" if path == ROOT else path) + b"/" + component


def lineage(path: bytes) -> list[bytes]:
    """List a path and all above it, nearest first."""
    found = [path]
    while (end := path.rfind(b"/", 1)) > 0:
        path = path[:end]
        found.append(path)
    if path[0] == ord("/") and path != ROOT:
        found.append(ROOT)
    return found


def is_within(path: bytes, top: bytes, depth: int) -> bool:
    """Tell whether a path that lies at or under ``top`` does so no more than ``depth`` levels down (negative: any)."""
    return depth < 0 or path == top or path.count(b"/", len(top)) + (top == ROOT) <= depth
