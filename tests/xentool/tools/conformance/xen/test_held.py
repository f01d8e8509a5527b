"""What Xen counts of the kit's domains, and nothing where its console does not hold all that it said."""

import pytest

from tests.xentool.tools.channels.consoles import console
from xentool.errors import XentoolError
from xentool.hosts.base import Completed
from xentool.hosts.local import LocalHost
from xentool.tools.conformance.xen.held import held


def test_maps_and_ports_between_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalHost, "run", lambda *_, **__: Completed((), 0, console(17).encode(), b""))
    host = LocalHost()
    # Domain 5 has 8, 9 mapped by 0 and 1024 by 6; each has one end of the channel between 0 and 5.
    assert held(host, [5], (0, 5)) == {"mappings": 2, "ports": 2}
    assert held(host, [5], (5, 6)) == {"mappings": 1, "ports": 0}
    assert held(host, [6], (0, 0)) == {"mappings": 1, "ports": 0}


@pytest.mark.parametrize("said", ["", console(17).replace("0x00000001", "torn")])
def test_a_console_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(LocalHost, "run", lambda *_, **__: Completed((), 0, said.encode(), b""))
    assert held(LocalHost(), [5], (0, 5)) == {}


def test_an_xl_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> Completed:
        raise XentoolError("no xl here")

    monkeypatch.setattr(LocalHost, "run", run)
    assert held(LocalHost(), [0], (0, 0)) == {}
