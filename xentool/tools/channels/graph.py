"""Domains as a graph: who is connected with whom, by how many channels and pages."""

from dataclasses import dataclass, field

from xentool.tools.channels.survey import Survey


@dataclass
class Edge:
    """What connects two domains.

    :param domids: the smaller first; twice the same for a domain's channels to itself
    :param channels: the ports at both ends, and what they serve, if that is known
    :param grants: pages in use, by granter and mapper
    """

    domids: tuple[int, int]
    channels: list[tuple[tuple[int, int], str | None]] = field(default_factory=list)
    grants: dict[tuple[int, int], int] = field(default_factory=dict)


def edges(found: Survey) -> list[Edge]:
    """Find all connections, in order of domids."""
    by_domids: dict[tuple[int, int], Edge] = {}

    def between(one: int, other: int) -> Edge:
        domids = (min(one, other), max(one, other))
        return by_domids.setdefault(domids, Edge(domids))

    for each in found.ports.values():
        for port in each:
            if port.remote_domid is None or port.remote_port is None:
                continue
            here, there = (port.domid, port.port), (port.remote_domid, port.remote_port)
            # Told at the end that is first; an end whose peer is gone is told there.
            if here <= there or port.remote_domid not in found.ports:
                ends = (port.port, port.remote_port) if here <= there else (port.remote_port, port.port)
                between(port.domid, port.remote_domid).channels.append((ends, found.port_names.get(here)))
    for table in found.tables.values():
        for grant in table.grants:
            pages = between(table.domid, grant.mapper).grants
            pages[table.domid, grant.mapper] = pages.get((table.domid, grant.mapper), 0) + 1
    return [by_domids[domids] for domids in sorted(by_domids)]
