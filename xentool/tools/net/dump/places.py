"""Where daemons have the sockets by which their vifs are watched, and whose vifs those are."""

from pathlib import Path

from xentool.errors import XentoolError
from xentool.hosts.local import LocalHost
from xentool.tools import xl
from xentool.tools.transports import loopbacks

#: In a Xen dom0; only root serves there.
_XEN = Path("/run/xentool/watch")


def folder(loopback: str | None) -> Path:
    """Give where sockets are.

    :raises XentoolError: as `loopbacks.directory`
    """
    return _XEN if loopback is None else loopbacks.directory(loopback)


def domid(domain: str | None, loopback: str | None) -> int | None:
    """Give a domain's number; None for all domains of a loopback.

    :raises XentoolError: there is no such domain
    """
    if domain is None or (domain.isascii() and domain.isdigit() and len(domain) <= 5):
        return None if domain is None else int(domain)
    if loopback is not None:
        raise XentoolError(f"domains of a loopback are numbers, not {domain!r}")
    return xl.find_domain(LocalHost(), domain).domid
