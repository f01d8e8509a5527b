"""Whether what is done on real Xen leaves anything behind, or makes anybody complain."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.xen.labs import Lab, eventually
from xentool.tools.channels.serves import grant_name


def node(lab: Lab, path: str) -> str:
    return lab.run("xenstore-read", path, check=False)


_LEFT = "xenstore-ls -f / | grep -E 'udisk|uvbd|uvif|/error/'; ls /run/xentool/block"
_WATCHES = "xenstore-control watches"
#: dom0's kernel log and Xen's console, all watches, what is left: each session takes an emulated dom0 its time.
_ALL = rf"(dmesg; xl dmesg) && printf '\0' && {_WATCHES} && printf '\0' && {{ {_LEFT}; true; }}"


def left(lab: Lab) -> str:
    return lab.run("sh", "-c", _LEFT, check=False)


def watches(lab: Lab) -> Counter[str]:
    """Give all watches of XenStore, as oxenstored names them."""
    return Counter(lab.run("sh", "-c", _WATCHES).splitlines())


class Told(NamedTuple):
    """What is said of a lab at one moment.

    :param heard: lines of dom0's kernel log and Xen's console
    """

    heard: Counter[str]
    watches: Counter[str]
    left: str


def told(lab: Lab) -> Told:
    heard, watched, remains = lab.run("sh", "-c", _ALL).split("\0")
    return Told(Counter(heard.splitlines()), Counter(watched.splitlines()), remains.strip())


class Used(NamedTuple):
    """What domains have in use of each other."""

    #: Rings and ports, by domain and what they are for.
    named: list[tuple[int, str]]
    #: Pages of data: granter, reference, who uses it. A packet under way has some, and a disk that keeps its pages.
    data: set[tuple[int, int, int]]


def used(lab: Lab, domids: Sequence[int]) -> Used:
    found = lab.survey()
    grants = [
        (domid, grant, grant_name(found.grant_names, domid, grant.gref))
        for domid in domids
        for grant in (found.tables[domid].grants if domid in found.tables else ())
        if grant.mapper in domids
    ]
    ports = [
        (domid, f"{port.kind} {port.source or found.port_names.get((domid, port.port), '')}")
        for domid in domids
        for port in found.ports[domid]
        if port.remote_domid in (None, *domids)
    ]
    rings = [(domid, name) for domid, _, name in grants if name]
    return Used(sorted(rings + ports), {(domid, grant.gref, grant.mapper) for domid, grant, name in grants if not name})


@contextmanager
def undisturbed(lab: Lab, *guests: int) -> Iterator[None]:
    """Hold that nothing is left in dom0 and some guests, and that nobody complained."""
    domids = (0, *guests)
    before, first = used(lab, domids), told(lab)
    yield
    # What was under way then may be done by now; what is under way now must soon be. A kernel lets go of a device, and
    # XenStore of a client, some time after both ends have parted.
    after, last = before, first

    def as_before() -> bool:
        nonlocal after, last
        after, last = used(lab, domids), told(lab)
        return after.named == before.named and after.data <= before.data and not last.watches - first.watches

    eventually(as_before)
    assert after.named == before.named
    assert after.data - before.data == set()
    assert last.left == ""
    assert last.watches - first.watches == Counter()
    # Line by line: of Xen's console, which our own looks fill with dumps, the beginning may be gone by now.
    complaint = re.compile(r"g\.e\. still in use|WARNING|BUG|Oops|deferring|d\d+v\d+ .*fault")
    assert [line for line in last.heard - first.heard if complaint.search(line)] == []
