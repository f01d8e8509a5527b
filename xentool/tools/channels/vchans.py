"""Channels of libxenvchan, as their servers publish them in XenStore. Pure, and as wary as `devices`.

A server writes the grant of its ring and its port under a path of its choice in its own home. Qubes and Mirage take
``data/vchan/CLIENT/PORT``; vchan-socket-proxy's examples have ``data/vchan/PORT``, and nothing says who the client is.

Ref: Xen tools/libs/vchan/init.c, init_xs_srv(); xen/include/public/io/libxenvchan.h
"""

import re
from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass

# Anywhere but where devices are.
_NODE = re.compile(
    r"/local/domain/(\d{1,5})/((?!device/|backend/|console\b|vuart/|xenserver/)(?:[\w@-]+/)*[\w@-]+)/(ring-ref|event-channel)",
    re.ASCII,
)
_OF_CLIENT = re.compile(r"data/vchan/(\d{1,5})/([\w@-]+)", re.ASCII)
_ENTRY = re.compile(r"(/local/domain/\d{1,5}/data/vchan)/(\d{1,5})", re.ASCII)
_NUMBER = re.compile(rb"\d{1,10}")


@dataclass(frozen=True)
class Vchan:
    """A channel.

    :param server: domid of who made it, and grants its pages
    :param name: for people: ``vchan 512 to d6``; by its path where that does not tell the client
    :param ring: the grant of its ring, which lists those of its data
    :param port: the server's end
    """

    server: int
    name: str
    ring: int
    port: int


def vchans(nodes: Mapping[str, bytes]) -> list[Vchan]:
    """Find all channels.

    :param nodes: XenStore's values by path
    """
    found: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for path, value in nodes.items():
        if (match := _NODE.fullmatch(path)) and _NUMBER.fullmatch(value):
            found[int(match[1]), match[2]][match[3]] = int(value)
    return [
        Vchan(server, _name(path), numbers["ring-ref"], numbers["event-channel"])
        for (server, path), numbers in found.items()
        if len(numbers) == 2
    ]


def _name(path: str) -> str:
    if match := _OF_CLIENT.fullmatch(path):
        return f"vchan {match[2]} to d{match[1]}"
    return f"vchan {path.removeprefix('data/').removeprefix('vchan/')}"


def leftovers(nodes: Mapping[str, bytes], alive: Container[int]) -> dict[str, list[int]]:
    """Give the clients that are gone, and of which servers have left nodes, by the directory that holds these.

    :param nodes: as above; also ``data/vchan`` and what is in it, with any values
    :param alive: the domids that there are
    """
    found: dict[str, list[int]] = defaultdict(list)
    for path in nodes:
        match = _ENTRY.fullmatch(path)
        # With a ring of its own the number is a port's.
        if match and int(match[2]) not in alive and f"{path}/ring-ref" not in nodes:
            found[match[1]].append(int(match[2]))
    return {directory: sorted(gone) for directory, gone in sorted(found.items())}


def said(gone: list[int]) -> str:
    """Say whose leftovers there are, naming some."""
    some = ", ".join(map(str, gone[:_NAMED]))
    more = f" and {len(gone) - _NAMED:,} more" if len(gone) > _NAMED else ""
    return f"domain {some}, which is gone" if len(gone) == 1 else f"domains {some}{more}, which are gone"


_NAMED = 5
