"""Damaged trace.dats: nothing raises but for a file that is none, and every byte is accounted for."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import missing
from tests.traces.kvm.traces import LIFE, PAGE, Told, counted, page, sample, sixth
from traces.analyses.kvm import report
from traces.errors import TraceError

SMALL = sixth([[page(LIFE[:9]), page(LIFE[9:])], [page([Told(1, 1, "sched_wakeup", {"pid": 1})])]], "500 CPU 0/KVM\n")


def _records(data: bytes) -> int | None:
    # How many are found; None: it is no trace.
    try:
        trace, counts, lost = counted(data)
    except TraceError:
        return None
    found = report(counts, trace)
    assert found.account.bytes >= found.account.skipped_bytes
    assert all(code in ("truncated", "compressed_data_corrupt") for code, _ in lost)
    for domain in found.domains:
        for vcpu in domain.vcpus:
            spans = sum(one.seconds for one in vcpu.runstates.values())
            assert not vcpu.runstates or spans == pytest.approx(found.span_s, rel=1e-6, abs=1e-6)
    return found.account.records


def test_cut_at_every_byte() -> None:
    whole = _records(SMALL)
    assert whole == len(LIFE) + 1
    found = [_records(SMALL[:size]) for size in range(len(SMALL))]
    described = next(size for size, one in enumerate(found) if one is not None)
    # Once the events are described, more bytes never give fewer records.
    counts = [one for one in found[described:] if one is not None]
    assert counts == sorted(counts)
    assert counts[-1] == whole
    assert described < len(SMALL) - 3 * PAGE


def test_a_file_that_is_cut_says_so() -> None:
    trace, counts, _ = counted(SMALL[: len(SMALL) - PAGE - 100])
    assert "truncated" in {one.code for one in report(counts, trace).account.diagnostics}


@pytest.mark.parametrize("of", ["made", "real"])
def test_mutations(of: str) -> None:
    chance = random.Random(5)  # noqa: S311 - no secret depends on it
    whole = SMALL if of == "made" else sample()
    starts = len(SMALL) - 3 * PAGE if of == "made" else len(whole) - 30_000
    kept = 0
    for _ in range(10_000 if of == "made" else 150):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 4, 30])):
            at = chance.randrange(starts if chance.random() < 0.3 else 0, len(data))
            data[at] = chance.randrange(256)
        kept += _records(bytes(data)) is not None
    assert kept > 50  # the others are refused


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x17\x08Dtracing6\0\x01\x08" + bytes(100), "big-endian"),
        (b"\x17\x08Dtracing6\0\x00\x04" + bytes(100), "32 bits"),
        (b"\x17\x08Dtracing9\0\x00\x08" + bytes(100), "version '9'"),
        (b"\x17\x08Dtracing6\0\x00\x08\x00\x10\x00\x00", "before its events"),
        (b"\x17\x08Dtracing7\0\x00\x08\x00\x10\x00\x00lz9\0001\0" + bytes(8), "packed by 'lz9'"),
    ],
)
def test_what_cannot_be_read(data: bytes, why: str) -> None:
    with pytest.raises(TraceError, match=why):
        counted(data)


def test_a_seventh_that_is_cut_gives_what_lies_before() -> None:
    # Where its pages are, options at its end say: without these they are found, and no more of the file gives fewer.
    whole = sample()
    begin = 1_022_479 + 2_000  # behind the options that describe events, of which little may be lost
    sizes = [*range(begin, len(whole), 997), len(whole)]
    found = [_records(whole[:size]) for size in sizes]
    counts = [one for one in found if one is not None]
    assert len(counts) == len(sizes)
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 3713)
    # Three of its four chunks are there when the last one is cut.
    assert _records(whole[:1_050_000]) == 3188
    trace, _, lost = counted(whole[: len(whole) - 5000])
    assert [(one.cpu, one.offset) for one in trace.streams] == [(0, 1_024_000), (1, 1_028_096)]
    assert {one.code for one in trace.diagnostics} == {"truncated"}
    assert [code for code, _ in lost] == ["compressed_data_corrupt"]


def test_a_seventh_that_is_not_packed_and_cut(tmp_path: Path) -> None:
    if shutil.which("trace-cmd") is None:
        missing.missing("trace-cmd is not installed")
    packed, plain = tmp_path / "packed.dat", tmp_path / "plain.dat"
    packed.write_bytes(sample())
    command = [
        "trace-cmd",
        "convert",
        "-i",
        str(packed),
        "-o",
        str(plain),
        "--file-version",
        "7",
        "--compression",
        "none",
    ]
    subprocess.run(command, check=True, capture_output=True)
    data = plain.read_bytes()
    whole, _, _ = counted(data)
    # In the last processor's pages.
    last = whole.streams[-1]
    cut, counts, _ = counted(data[: last.offset + 10 * PAGE])
    assert [(one.cpu, one.offset) for one in cut.streams] == [(one.cpu, one.offset) for one in whole.streams]
    assert cut.streams[-1].size == 10 * PAGE
    assert 0 < counts.records < 3713
