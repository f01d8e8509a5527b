"""What a KVM host sent → a trace.dat, however much of it came: the pages are those that came whole."""

import io

import pytest

from tests.traces.kvm.streams import END, PID, THREADS, block, head, stats
from tests.traces.kvm.traces import LIFE, PAGE, page, unpack
from traces.errors import TraceError
from traces.kvm import ordered
from traces.kvm.decode import tracedat

HEAD = head(3)
FIRST, SECOND, THIRD = page(LIFE[:5]), page(LIFE[5:9]), page(LIFE[9:])
_ROUND = (block("cpu 2 5"), FIRST, block("cpu 0 4"), SECOND, block("round"))
WHOLE = b"".join((HEAD, *_ROUND, block("cpu 2 9"), THIRD, stats(0, overrun=4), END))


def _converted(came: bytes) -> tuple[tracedat.TraceDat, dict[int, bytes], tuple[str, int] | None]:
    out = io.BytesIO()
    damage = ordered.convert(io.BytesIO(came), out)
    trace, data = tracedat.read(out, unpack), out.getvalue()
    pages = {one.cpu: data[one.offset : one.offset + one.size] for one in trace.streams}
    return trace, pages, None if damage is None else (damage.code, damage.first_offset)


def test_each_processors_pages_are_one_piece() -> None:
    trace, pages, damage = _converted(WHOLE)
    assert damage is None
    assert pages == {0: SECOND, 2: FIRST + THIRD}
    assert (trace.diagnostics, trace.clock) == ([], "mono")
    (told,) = trace.stats
    assert told.startswith("CPU: 0\nentries: 0\noverrun: 4\n")
    assert [one.threads for one in trace.processes] == [frozenset({*THREADS, 502})]
    assert [(one.pid, one.name) for one in trace.processes] == [(PID, "web")]


def test_cut_anywhere_it_holds_the_pages_that_came() -> None:
    blocks = (len(WHOLE) - len(HEAD)) // PAGE
    for whole in range(blocks):
        for more in (0, 1, PAGE - 1):
            came = len(HEAD) + whole * PAGE + more
            _, pages, damage = _converted(WHOLE[:came])
            assert damage == ("truncated", len(HEAD) + whole * PAGE)
            # Where blocks are pages: the second of processor 2, the fourth of 0, the seventh of 2.
            second = FIRST * (whole > 1) + THIRD * (whole > 6)
            assert pages == {cpu: of for cpu, of in ((0, SECOND * (whole > 3)), (2, second)) if of}, (whole, more)


def test_what_is_before_damage_is_kept() -> None:
    damaged = WHOLE.replace(block("round"), block("dance"))
    _, pages, damage = _converted(damaged)
    assert pages == {0: SECOND, 2: FIRST}
    assert damage == ("bad_section", WHOLE.index(block("round")))


@pytest.mark.parametrize("came", [b"", HEAD[:-1], HEAD[:40]])
def test_without_its_head_it_is_none(came: bytes) -> None:
    with pytest.raises(TraceError, match="is cut before its events are described"):
        ordered.convert(io.BytesIO(came), io.BytesIO())


def test_what_is_no_stream_is_refused() -> None:
    with pytest.raises(TraceError, match="is no stream"):
        ordered.convert(io.BytesIO(b"Welcome!\n"), io.BytesIO())
