"""`xentool net serve --watch`: both rings of each queue, as JSON lines and as a page."""

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from pvdrivers.net.frame import Frame
from pvdrivers.net.front import frontend
from pvdrivers.net.front.frontend import Options
from pvdrivers.transport.loopback import Loopback
from tests.pvdrivers.net.lanes import TestsPort
from tests.xentool.cli.serving import serving
from xentool.cli.screens.rings import UNDER_WAY, VIFS, picture
from xentool.documents.serving import VifRing

FRAME = Frame(bytes.fromhex("00163e000002 00163e000001 88b5") + bytes(46))
FRONT = "/local/domain/1/device/vif/0"


def row(**fields: object) -> dict[str, Any]:
    one: dict[str, Any] = dict.fromkeys(VifRing.__annotations__, 0)
    return one | {"domid": 5, "device": "vif0", "slots": 256, "ring": "tx"} | fields


def test_lines_of_both_rings_while_a_frontend_is_there(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    with serving(place, "--vif", "port=null", "--watch", "--interval", "0.1", group="net") as served:
        assert served.process.stdout
        port = TestsPort()
        with Loopback(place, 1) as guest, frontend.joined(guest, FRONT, port, Options(pages=64)):
            port.lanes[0].give([FRAME] * 20)
            while True:
                tx, rx = (json.loads(served.process.stdout.readline()) for _ in range(2))
                if tx["packets"] == 20 and rx["under_way"]:
                    break
        assert served.end() == 0
    assert set(tx) == set(rx) == set(VifRing.__annotations__)
    assert (tx["ring"], rx["ring"], tx["device"], rx["domid"], rx["queue"]) == ("tx", "rx", "vif0", 1, 0)
    # A slot a packet, each answered; and pages that were posted for frames of which none came.
    assert tx["req_prod"] == tx["req_cons"] == tx["rsp_prod"] == 20
    assert rx["rsp_prod"] == rx["packets"] == 0
    assert 0 < rx["under_way"] + rx["waiting"] == rx["req_prod"] <= rx["slots"]
    for one in served.rows:
        assert one["schema"] == "xentool.served.vif.ring/1"
        assert (one["req_cons"] - one["rsp_prod"]) % 2**32 == one["under_way"] <= one["slots"]


def test_a_page_tells_tx_from_rx() -> None:
    tx = row(req_prod=1005, req_cons=1003, rsp_prod=1000, under_way=3, packets=700, grant_copies=40)
    rx = row(ring="rx", req_prod=256, req_cons=256, under_way=256, packets=2)
    before = [row(packets=500, grant_copies=20), row(ring="rx", packets=0)]
    out = io.StringIO()
    Console(file=out, width=160, force_terminal=False).print(picture(VIFS, [tx, rx], before, 2.0))
    head, first, second, drawn, posted, legend = out.getvalue().splitlines()
    assert head.split()[:2] == ["vif", "req_prod"]
    assert first.split() == ["5:vif0", "tx", "1,005", "1,003", "1,000", "3", "0", "0", "100", "10", "0", "0"]
    assert second.split()[:6] == ["5:vif0", "rx", "256", "256", "0", "256"]
    assert drawn.startswith("5:vif0 tx  ")
    assert posted == f"5:vif0 rx  {UNDER_WAY * 32}"
    assert "of rx, pages for frames" in legend
