"""What drivers of two domains have in use of each other, as Xen itself counts it."""

import fcntl
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pvdrivers.conformance.subject import Resources
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools.channels.survey import printed

#: How often Xen is asked anew whose console did not hold all that it said.
_TRIES = 3


def held(host: Host, granters: Collection[int], ends: tuple[int, int]) -> Resources:
    """Count mapped pages and event channels between two domains; nothing where Xen cannot tell.

    :param granters: whose pages are counted; those of others come and go with devices that are not the kit's
    :param ends: the domains, or one of them twice for what it has with itself
    """
    here, there = ends
    for _ in range(_TRIES):
        with suppress(XentoolError), _alone():
            said = printed(host)
            if said.lost_ports or said.lost_grants:
                continue
            grants = (grant for domid in granters if domid in said.tables for grant in said.tables[domid].grants)
            return {
                "mappings": sum(each.writable_maps + each.read_only_maps for each in grants if each.mapper in ends),
                "ports": sum(
                    port.remote_domid == remote
                    for domid, remote in {(here, there), (there, here)}
                    for port in said.ports.get(domid, ())
                ),
            }
    return {}


@contextmanager
def _alone() -> Iterator[None]:
    # What two ask for at once is torn.
    with Path(__file__).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
