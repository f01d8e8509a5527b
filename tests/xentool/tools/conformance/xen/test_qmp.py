"""What QEMU is told, and what it refuses, by a socket."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pvdrivers.errors import MachineError
from xentool.tools.conformance.xen import qmp
from xentool.tools.conformance.xen.qmp import Qmp


@contextmanager
def answering(path: Path, *answers: Sequence[object]) -> Iterator[list[dict[str, object]]]:
    """Be a QEMU that greets, and says some things after each command."""
    asked: list[dict[str, object]] = []
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            joined, _ = server.accept()
            with joined, joined.makefile("rwb") as stream:
                stream.write(b'{"QMP": {"version": {}, "capabilities": []}}\n')
                for answer in answers:
                    stream.flush()
                    asked.append(json.loads(stream.readline()))
                    stream.writelines(json.dumps(each).encode() + b"\n" for each in answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield asked
        thread.join(600)


def test_commands_are_done_and_events_passed_over(tmp_path: Path) -> None:
    event = {"event": "DEVICE_DELETED", "data": {"device": "vif1"}}
    path = tmp_path / "qmp"
    with answering(path, [{"return": {}}], [event, {"return": {}}]) as asked, closing(Qmp(path)) as told:
        told.does("device_add", driver="xen-net-device", idx=1)
    assert asked == [
        {"execute": "qmp_capabilities", "arguments": {}},
        {"execute": "device_add", "arguments": {"driver": "xen-net-device", "idx": 1}},
    ]


def test_what_is_refused_is_told(tmp_path: Path) -> None:
    refused = {"error": {"class": "DeviceNotFound", "desc": "Device 'vif7' not found"}}
    with answering(tmp_path / "qmp", [{"return": {}}], [refused]), closing(Qmp(tmp_path / "qmp")) as told:
        with pytest.raises(MachineError, match="QEMU's device_del says: Device 'vif7' not found"):
            told.does("device_del", id="vif7")
        with pytest.raises(MachineError, match="QEMU has ended"):
            told.does("device_del", id="vif7")


def test_one_that_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp, "_PATIENCE", 0.01)
    with pytest.raises(MachineError, match="QEMU does not listen: No such file"):
        Qmp(tmp_path / "none")
