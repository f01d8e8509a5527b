"""A measurement whose backend goes away."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pvdrivers.block.front import frontend
from pvdrivers.bus import toolstack
from pvdrivers.bus.end import End
from tests.pvdrivers.block.pair import GUEST, SPOT, bench
from xentool.errors import XentoolError
from xentool.tools.block.measure import Workload, measure
from xentool.tools.transports import loopbacks


def test_whoever_is_plugged_out_is_not_said_to_forbid_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = frontend.joined
    monkeypatch.setattr(loopbacks, "GUEST", GUEST)
    with bench(tmp_path) as loop, loop.backend():

        @contextmanager
        def plugged_out_then(*words: object) -> Iterator[End]:
            with joined(*words) as end:  # type: ignore[arg-type] # handed on as they are
                toolstack.part(loop.dom0.store, SPOT)
                assert toolstack.parted(loop.dom0.store, SPOT, 600)
                toolstack.remove(loop.dom0.store, SPOT)
                yield end

        monkeypatch.setattr(frontend, "joined", plugged_out_then)
        with pytest.raises(XentoolError, match=r"^the backend has parted$"):
            measure(Workload(loopback=str(tmp_path)))
