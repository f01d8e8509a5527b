"""What one daemon of vifs leaves to the next."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.nodes import Peer
from pvdrivers.net.frame import Frame
from pvdrivers.net.front import frontend
from pvdrivers.net.front.frontend import Options
from pvdrivers.transport.loopback import Loopback, machine
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.lanes import TestsPort
from xentool.errors import XentoolError
from xentool.tools.net.vif_class import Vifs
from xentool.tools.net.vifs import parse
from xentool.tools.serving import service
from xentool.tools.serving.service import Service

FRONT = "/local/domain/5/device/vif/0"
#: Serves until it is killed: where the machine is, where locks are.
SERVE = """
import sys
from pathlib import Path
from pvdrivers.transport.loopback import Loopback
from xentool.tools.net.vif_class import Vifs
from xentool.tools.net.vifs import parse
from xentool.tools.serving.service import Service
with Loopback(Path(sys.argv[1]), 0) as dom0, Service(dom0, Vifs(Path(sys.argv[2]))) as service:
    service.attach(5, [parse("port=null")])
    print("serving", flush=True)
    sys.stdin.read()
"""
FRAME = Frame(bytes(12) + bytes.fromhex("88b5") + bytes(46))


def test_a_successor_goes_on_with_the_rings(tmp_path: Path) -> None:
    vif, port = parse("port=null"), TestsPort()
    with machine(tmp_path, [0, 5]), Loopback(tmp_path, 0) as dom0, Loopback(tmp_path, 5) as guest:
        back = Peer(dom0.store, "/local/domain/0/backend/uvif/5/0")
        with Service(dom0, Vifs(), keep=True) as first:
            assert [spot.devid for spot in first.attach(5, [vif])] == [0]
            running = frontend.joined(guest, FRONT, port, Options(pages=64))
            running.__enter__()
            port.lanes[0].give([FRAME] * 3)
            until(lambda: first.statistics()[0]["tx_packets"] == 3)
        mac = back.text("mac")
        assert (back.state(), len(port.readers)) == (XenbusState.CONNECTED, 1)
        port.lanes[0].give([FRAME] * 4)
        with Service(dom0, Vifs()) as second:
            second.attach(5, [vif])
            until(lambda: second.statistics() and second.statistics()[0]["tx_packets"] == 4)
            assert back.text("mac") == mac
            # The frontend has noticed nothing.
            assert len(port.readers) == 1
            running.__exit__(None, None, None)
        assert not dom0.store.exists(back.path)


@contextmanager
def serving(directory: Path, locks: Path) -> Iterator[None]:
    """Have another process serve a vif, and kill it."""
    argv = [sys.executable, "-c", SERVE, str(directory), str(locks)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "serving\n"
            yield
        finally:
            process.kill()


def test_one_that_is_killed_is_followed(tmp_path: Path) -> None:
    locks, port = tmp_path / "locks", TestsPort()
    with machine(tmp_path, [0, 5]), Loopback(tmp_path, 0) as dom0, Loopback(tmp_path, 5) as guest:
        taken = Peer(dom0.store, "/local/domain/0/backend/uvif/5/0")
        with serving(tmp_path, locks):
            running = frontend.joined(guest, FRONT, port, Options(pages=64))
            end = running.__enter__()
            port.lanes[0].give([FRAME] * 3)
            until(lambda: taken.number("statistics/tx-packets", 0, 9, 0) == 3)
        # Each counts what itself has taken.
        for number in (4, 5, 6):
            port.lanes[0].give([FRAME] * number)
            with serving(tmp_path, locks):
                until(lambda: taken.number("statistics/tx-packets", 0, 99, 0) == number)  # noqa: B023 - called within this turn
        with Service(dom0, Vifs(locks)) as last:
            last.attach(5, [parse("port=null")])
            assert (end.error, len(port.readers)) == (None, 1)
            running.__exit__(None, None, None)
        assert list(locks.iterdir()) == []


def test_a_vif_that_was_kept_is_not_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service, "PATIENCE", 0.1)  # there is no guest that could let go
    with machine(tmp_path, [0, 5]), Loopback(tmp_path, 0) as dom0:
        with Service(dom0, Vifs(), keep=True) as first:
            (kept,) = first.attach(5, [parse("port=null,handle=0")])
        with Service(dom0, Vifs()) as second:
            with pytest.raises(XentoolError, match=r"^vif0 of domain 5 is null already; choose with handle=$"):
                second.attach(5, [parse("port=switch")])
            with pytest.raises(XentoolError, match=r"^vif0 of domain 5 is there with front=kernel$"):
                second.attach(5, [parse("port=null,handle=0,front=user")])
            assert second.attach(5, [parse("port=null"), parse("port=null,front=user")])[0] == kept
            assert sorted(dom0.store.directory("/local/domain/5/device")) == ["uvif", "vif"]
        # What the kernel's netback serves is not taken over.
        dom0.store.write(f"{FRONT}/backend", b"/local/domain/0/backend/vif/5/0")
        with Service(dom0, Vifs()) as third:
            with pytest.raises(XentoolError, match="handle 0 is taken already"):
                third.attach(5, [parse("port=null,handle=0")])
            assert third.attach(5, [parse("port=null")])[0].devid == 1


def test_a_vif_has_one_server(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    with machine(tmp_path, [0, 5]), Loopback(tmp_path, 0) as dom0:
        with Service(dom0, Vifs(locks), keep=True) as first:
            first.attach(5, [parse("port=null")])
            with (
                Service(dom0, Vifs(locks), keep=True) as second,
                pytest.raises(XentoolError, match=r"^another process serves vif0 of domain 5$"),
            ):
                second.attach(5, [parse("port=null")])
            assert [path.name for path in locks.iterdir()] == ["uvif-5-0-0"]
        assert list(locks.iterdir()) == []
        with Service(dom0, Vifs(locks), keep=True) as third:
            assert third.attach(5, [parse("port=null")])[0].devid == 0
