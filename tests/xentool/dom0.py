"""A dom0 made of what xl prints, of Xen's console, and of a store of our own: hosts of every release and toolstack."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from xentool.hosts.base import Completed
from xentool.hosts.local import LocalHost

_LIST = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
_VCPUS = "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n"


class Dom0(LocalHost):
    """A host by what commands print there.

    :param domains: by domid
    :param store: where its XenStore is
    """

    name = "xen1"

    def __init__(
        self, domains: dict[int, str], store: Path, *, console: str = "", vcpus: str | None = None, pci: str = "\f\f"
    ) -> None:
        listed = _LIST
        for domid, name in domains.items():
            listed += f"{name:<40} {domid:5}   512     1     {'-b----' if domid else 'r-----'}       1.5\n"
        if vcpus is None:
            vcpus = _VCPUS
            for domid, name in domains.items():
                vcpus += f"{name:<32} {domid:5}     0    0   {'-b-' if domid else 'r--'}       1.5  all / all\n"
        self._store = store
        self._printed = {
            "list": listed,
            "list --long": "[]",
            "vcpu-list": vcpus,
            "stats": "\f".join(("812.5 1.0\n", listed, "", "[]", vcpus, "", "")),
            "console": console,
            "pci": pci,
        }

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        """Print what such a dom0 does."""
        if argv[0] == "xl":
            told = self._printed[" ".join(argv[1:])]
        elif argv[0] == "sh":
            marks = {"vcpu-list": "stats", "dmesg": "console", "pci-assignable-list": "pci"}
            told = next((name for mark, name in marks.items() if mark in argv[2]), "")
            told = self._printed[told] if told else f"{self._store}\n"
        else:
            told = ""
        return Completed(tuple(argv), 0, told.encode(), b"")


@contextmanager
def hosted(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    domains: dict[int, str],
    nodes: Iterable[tuple[str, str]],
    *,
    console: str = "",
    vcpus: str | None = None,
    pci: str = "\f\f",
) -> Iterator[Dom0]:
    """Have all commands find such a host, whatever it is called.

    :param nodes: of its store, by what is under /local/domain
    :param pci: what pci.sh prints there
    """
    with served(directory), Client(directory / "dom0") as client:
        for domid, name in domains.items():
            client.write(f"/local/domain/{domid}/name", name.encode())
        for path, value in nodes:
            client.write(f"/local/domain/{path}", value.encode())
        host = Dom0(domains, directory / "dom0", console=console, vcpus=vcpus, pci=pci)
        for where in ("xentool.hosts.resolve", "xentool.cli.grants.resolve", "xentool.cli.evtchn.resolve"):
            monkeypatch.setattr(where, lambda *_: host)
        monkeypatch.setattr("xentool.cli.channels.resolve", lambda *_: host)
        yield host


def pair(front: str, back: str, *, state: str = "4", **more: str) -> list[tuple[str, str]]:
    """Give the nodes of both ends of a device, by what is under /local/domain."""
    home = "/local/domain/"
    links = [(f"{front}/backend", home + back), (f"{back}/frontend", home + front)]
    nodes = [*links, (f"{front}/state", state), (f"{back}/state", state), (f"{back}/online", "1")]
    shared = [(f"{front}/{node.replace('_', '-')}", value) for node, value in more.items()]
    return [*nodes, *shared]
