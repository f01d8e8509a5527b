"""What one daemon of disks leaves to the next."""

from pathlib import Path

import pytest

from pvdrivers.block.backend import Options
from pvdrivers.transport.loopback import Loopback, machine
from xentool.errors import XentoolError
from xentool.tools.block import service
from xentool.tools.block.disks import parse
from xentool.tools.block.service import Service


def test_a_number_that_was_kept_is_not_given_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service, "PATIENCE", 0.1)  # there is no guest that could let go
    with machine(tmp_path, [0, 5]), Loopback(tmp_path, 0) as dom0:
        with Service(dom0, Options(), keep=True) as first:
            (kept,) = first.attach(5, [parse("mem:1M,vdev=xvdc")])
        with Service(dom0, Options()) as second:
            with pytest.raises(XentoolError, match=r"^xvdc of domain 5 is there with front=kernel$"):
                second.attach(5, [parse("mem:1M,vdev=xvdc,front=user")])
            assert dom0.store.directory("/local/domain/5/device") == ["vbd"]
            assert second.attach(5, [parse("mem:1M,vdev=xvdc"), parse("mem:1M,vdev=xvdd,front=user")])[0] == kept
            with pytest.raises(XentoolError, match=r"^xvdd of domain 5 is there with front=user$"):
                second.attach(5, [parse("mem:1M,vdev=xvdd")])
