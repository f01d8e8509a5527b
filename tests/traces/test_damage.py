"""Whatever a file holds, a report comes out: in bounded time, with every byte accounted for and every damage counted.

``XENTOOL_FUZZ=100000`` makes so many mutations instead of a few thousand; ``XENTOOL_FUZZ_SEED`` other ones.
"""

import contextlib
import io
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.damage import DAMAGES, piece, windows
from traces import scan as scans
from traces.account import SEVERITIES
from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.errors import TraceError
from traces.exporters.document import document
from traces.scan import Scan

TURNS = int(os.environ.get("XENTOOL_FUZZ", "3000"))
SEED = int(os.environ.get("XENTOOL_FUZZ_SEED", "1"))
#: Seconds of processor time for one input of some 20 KB: a thousand times what an undamaged one takes.
PATIENCE = 5.0


def report(data: bytes, step: int | None = None) -> Report:
    scan = Scan()
    for start in range(0, len(data), step or max(len(data), 1)):
        scan.feed(data[start : start + (step or len(data))])
    scan.finish()
    # In cycles, so that sums can be compared to the cycle.
    return report_of(scan, hz=1.0)


def assert_sound(found: Report, size: int) -> None:
    account = found.account
    assert account.bytes == size
    assert 0 <= account.skipped_bytes <= size
    for one in account.diagnostics:
        assert one.severity == SEVERITIES[one.code]
        assert one.count > 0
        assert 0 <= one.first_offset <= size
    if account.skipped_bytes:
        assert any(one.severity == "data_loss" for one in account.diagnostics)
    for domain in found.domains:
        if domain.contention:
            total = sum(one.seconds for one in domain.contention.values())
            assert total == pytest.approx(found.span_s, rel=1e-12, abs=2.0)
        for vcpu in domain.vcpus:
            if vcpu.runstates:
                on_pcpus = sum(vcpu.pcpus.values())
                assert on_pcpus == pytest.approx(vcpu.runstates["running"].seconds, rel=1e-12, abs=2.0)
                total = sum(state.seconds for state in vcpu.runstates.values())
                # Exact but for floating point, which time stamps of 64 random bits exceed.
                assert total == pytest.approx(found.span_s, rel=1e-12, abs=2.0)
    json.dumps(document(found), allow_nan=False)


def assert_lanes_agree(data: bytes) -> None:
    # Several lanes read a damaged trace as one does, or say that they can't.
    with contextlib.suppress(scans.Irregular, TraceError):
        several = report_of(scans.read(io.BytesIO(data), lanes=2), hz=1.0)
        assert several == report_of(scans.read(io.BytesIO(data)), hz=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_undamaged_pieces_are_clean(name: str) -> None:
    data = piece(name)
    found = report(data)
    assert_sound(found, len(data))
    assert found.account.skipped_bytes == 0
    assert {one.severity for one in found.account.diagnostics} <= {"info"}


@pytest.mark.parametrize("name", [NAMES[0], NAMES[-1]])
def test_truncated_at_every_byte(name: str) -> None:
    data = piece(name, 1500)
    for size in range(1, len(data)):
        found = report(data[:size])
        assert_sound(found, size)
        assert "truncated" in {one.code for one in found.account.diagnostics}, size


def test_random_damage() -> None:
    pieces = [piece(name) for name in NAMES]
    kinds = sorted(DAMAGES)
    for turn in range(TURNS):
        chance = random.Random(SEED << 32 | turn)  # noqa: S311 - to be repeated, not kept secret
        data = bytearray(chance.choice(pieces))
        # Every kind comes alone as well as among others.
        chosen = [kinds[turn % len(kinds)], *chance.choices(kinds, k=chance.choice((0, 0, 1, 3)))]
        for kind in chosen:
            if data and windows(data):
                DAMAGES[kind](data, chance)
        began = time.process_time()
        try:
            found = report(bytes(data), chance.choice((None, None, 777)))
            assert_sound(found, len(data))
            if turn % 20 == 0:
                assert_lanes_agree(bytes(data))
        except BaseException as error:
            error.add_note(f"XENTOOL_FUZZ_SEED={SEED}, turn {turn}: {', '.join(chosen)}")
            raise
        assert time.process_time() - began < PATIENCE, (SEED, turn, chosen)


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_what_follows_a_damaged_window_is_decoded(kind: str) -> None:
    chance = random.Random(7)  # noqa: S311 - to be repeated, not kept secret
    data = bytearray(piece("xen-4.17-pv1"))
    DAMAGES[kind](data, chance)
    damaged = len(data)
    data += piece("xen-4.20-pv1", 6000)
    found = report(bytes(data))
    alone = report(bytes(data[damaged:]))
    # A window whose size was a lie may take part of what follows, until the next window's header says otherwise.
    assert found.account.records >= alone.account.records
    assert_sound(found, len(data))


@pytest.mark.parametrize("kind", ["bits flipped", "absurdly many lost", "pCPU -1", "zeros", "exit reason 62"])
def test_the_command_line_ends_in_order(kind: str, tmp_path: Path) -> None:
    data = bytearray(capture("xen-4.20-pvh"))
    DAMAGES[kind](data, random.Random(3))  # noqa: S311 - to be repeated, not kept secret
    path = tmp_path / "damaged"
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "xentool", "report", "--json", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, 4)
    assert (done.returncode == 4) == (done.stderr != "")
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["capture"]["bytes"] == len(data)
