"""`xentool block serve --watch`: rings as JSON lines and as a page."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pvdrivers.block.front import frontend
from pvdrivers.transport.loopback import Loopback
from tests.xentool.cli.serving import serving
from xentool.cli.screens.rings import DISKS, FREE, UNDER_WAY, WAITING, drawn, picture
from xentool.documents.serving import Ring

FRONT = "/local/domain/1/device/vbd/51712"
OPTIONS = frontend.Options(max_queues=2)


def row(**fields: object) -> dict[str, Any]:
    one: dict[str, Any] = dict.fromkeys(Ring.__annotations__, 0)
    return one | {"domid": 5, "device": "xvdb", "slots": 32} | fields


def written(now: list[dict[str, Any]], before: list[dict[str, Any]], width: int = 160) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(picture(DISKS, now, before, 2.0))
    return out.getvalue().splitlines()


def test_lines_in_a_pipe_while_a_frontend_is_there(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    with serving(place, "--disk", "mem:1M", "--watch", "--interval", "0.1", "--queues", "2") as served:
        assert served.process.stdout
        with Loopback(place, 1) as guest, frontend.disk(guest, FRONT, OPTIONS) as disk:
            disk.write(0, b"x" * 4096)
            # The first picture may come while a queue is being made.
            rows: list[dict[str, Any]] = []
            while {one["queue"] for one in rows} != {0, 1}:
                rows.append(json.loads(served.process.stdout.readline()))
        assert served.end() == 0
    first = rows[0]
    assert set(first) == set(Ring.__annotations__)
    assert (first["schema"], first["domid"], first["device"]) == ("xentool.served.ring/1", 1, "xvda")
    for one in (*rows, *served.rows):
        assert one["schema"] == "xentool.served.ring/1"
        assert one["req_prod"] - one["req_cons"] == one["waiting"] <= one["slots"]
        assert one["req_cons"] - one["rsp_prod"] == one["under_way"] <= one["slots"]


def test_a_page_shows_indices_and_rates() -> None:
    now = row(req_prod=1005, req_cons=1003, rsp_prod=1000, waiting=2, under_way=3, req_event=1001, rsp_event=990)
    now |= {"grants_mapped": 44, "requests": 700, "notifications_sent": 90, "notifications_received": 31}
    then = row(requests=500, notifications_sent=70, notifications_received=30)
    head, line, ring, legend = written([now], [then])
    assert ring == f"5:xvdb  {drawn(now)}"
    assert head.split()[:4] == ["disk", "req_prod", "req_cons", "rsp_prod"]
    words = line.split()
    assert words[:7] == ["5:xvdb", "1,005", "1,003", "1,000", "3", "1,001", "990"]
    assert words[7:11] == ["44", "100", "0", "10"]
    assert legend.startswith(f"{WAITING} waits to be taken")
    assert written([now], [])[1].split()[8:11] == ["-", "-", "-"]
    assert written([], [now]) == ["no frontend is connected"]


def test_a_narrow_page_keeps_the_indices() -> None:
    lines = written([row(req_prod=4_000_000_000, req_cons=4_000_000_000, rsp_prod=3_999_999_999, queue=1)], [], 60)
    assert max(map(len, lines)) <= 60
    assert all(name in " ".join(lines) for name in ("4,000,000,000", "3,999,999,999"))


@pytest.mark.parametrize("start", [0, 40, 2**32 - 2])
def test_a_ring_is_drawn_slot_by_slot(start: int) -> None:
    wrapped = [(start + by) % 2**32 for by in (6, 4, 1)]
    req_prod, req_cons, rsp_prod = wrapped
    shown = drawn(row(req_prod=req_prod, req_cons=req_cons, rsp_prod=rsp_prod, waiting=2, under_way=3))
    at = start % 32
    expected = FREE + UNDER_WAY * 3 + WAITING * 2 + FREE * 26
    assert shown == expected[-at:] + expected[:-at] if at else expected


def test_a_large_ring_and_impossible_indices_have_room() -> None:
    shown = drawn(row(slots=512, req_prod=17, req_cons=17, rsp_prod=16, under_way=1))
    assert shown == FREE + UNDER_WAY + FREE * 30
    assert drawn(row(slots=512, req_prod=2**31, waiting=2**31)) == WAITING * 32
