"""What drivers of some domains have in use of each other, as Xen itself counts it."""

from collections.abc import Collection
from contextlib import suppress

from pvdrivers.conformance.subject import Resources
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools.channels.survey import printed

#: How often Xen is asked anew whose console did not hold all that it said.
_TRIES = 3


def held(host: Host, granters: Collection[int], domids: Collection[int]) -> Resources:
    """Count mapped pages and event channels between domains; nothing where Xen cannot tell.

    :param granters: whose pages are counted; those of others come and go with devices that are not the kit's
    :param domids: whose ends of channels are
    """
    for _ in range(_TRIES):
        with suppress(XentoolError):
            said = printed(host)
            if said.lost_ports or said.lost_grants:
                continue
            grants = (grant for domid in granters if domid in said.tables for grant in said.tables[domid].grants)
            return {
                "mappings": sum(each.writable_maps + each.read_only_maps for each in grants if each.mapper in domids),
                "ports": sum(port.remote_domid in domids for domid in domids for port in said.ports.get(domid, ())),
            }
    return {}
