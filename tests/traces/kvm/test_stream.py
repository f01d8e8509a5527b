"""What a KVM host sends, cut into parts: whole, byte by byte, and damaged."""

import random
from collections.abc import Iterable

import pytest

from tests.traces.kvm.streams import END, PID, THREADS, WORDS, block, head, rounds, stats
from tests.traces.kvm.traces import EVENTS, LIFE, PAGE, page
from traces.errors import TraceError
from traces.kvm.decode.tracedat import Process
from traces.kvm.stream import Asked, End, Head, Pages, Part, Reader, Round, Stats, Thread, name_of


def _parts(pieces: Iterable[bytes]) -> list[Part]:
    # Pages that came in pieces are put together, as nothing says where a piece ends.
    reader, found = Reader(), list[Part]()
    for piece in pieces:
        for part in reader.feed(piece):
            if isinstance(part, Pages) and found and isinstance(found[-1], Pages) and found[-1].cpu == part.cpu:
                found[-1] = Pages(part.cpu, found[-1].data + part.data)
            else:
                found.append(part)
    assert reader.waiting == 0
    return found


WHOLE = (
    head(2)
    + block("cpu 1 3")
    + page(LIFE[:2])
    + page(LIFE[2:3])
    + block("cpu 0 0")
    + block("round")
    + stats(1, overrun=7)
    + END
)


def test_parts_of_a_stream() -> None:
    begin, *parts = _parts([WHOLE])
    assert isinstance(begin, Head)
    assert (begin.kernel, begin.pid, begin.words, begin.threads) == ("Linux h 6.1 x86_64", PID, WORDS, THREADS)
    assert (begin.cpus, begin.page_size, begin.header_event) == ((0, 1), PAGE, b"# nothing\n")
    assert {system: len(texts) for system, texts in begin.formats.items()} == {"kvm": len(EVENTS) - 2, "sched": 2}
    asked, pages, nobody, a_round, told, thread, end = parts
    assert (asked, nobody, a_round, end) == (Asked(1, 3), Asked(0, 0), Round(), End())
    assert pages == Pages(1, page(LIFE[:2]) + page(LIFE[2:3]))
    assert isinstance(told, Stats)
    assert told.text.startswith("entries: 0\noverrun: 7\n")
    assert thread == Thread(502, "CPU 2/KVM")


@pytest.mark.parametrize("step", [1, 7, PAGE - 1, PAGE, PAGE + 1])
def test_bytes_may_come_in_any_pieces(step: int) -> None:
    assert _parts(WHOLE[at : at + step] for at in range(0, len(WHOLE), step)) == _parts([WHOLE])


def test_a_head_is_a_trace() -> None:
    begin = next(Reader().feed(head(3)))
    assert isinstance(begin, Head)
    trace = begin.trace()
    assert trace.clock == "mono"
    assert trace.processes == [Process(PID, "web", frozenset(THREADS))]
    assert sorted(one.name for one in trace.layouts.values())[:2] == ["kvm_entry", "kvm_exit"]
    assert [one.cpu for one in trace.streams] == [0, 1, 2]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"Permission denied, please try again.\n", "is no stream"),
        (b"xentool: stream 1\n" + b"x" * (9 << 20), "is no stream"),
        (head(1).replace(b"stream 1", b"stream 2"), "version that is not known"),
        (head(1).replace(b"pages 4096", b"pages 1000"), "pages have 1000 bytes"),
        (head(1).replace(b"pages 4096", b"pages 8192"), "describes others"),
        (head(1).replace(b"size:4080", b"size:1040"), "describes others"),
        (head(1).replace(b"cpus\n0\n", b"cpus\n-1\n"), "names no processors"),
        (head(1).replace(b"xentool: threads", b"xentool: thread"), "cannot be read"),
        (head(1).replace(b"machine 490", b"machine x"), "cannot be read"),
        (head(1) + page(LIFE[:2]), "no processor is named for"),
        (head(1) + block("cpu 1 3"), r"nobody knows \('cpu'\)"),
        (head(1) + block("cpu 0 x"), "nobody knows"),
        (head(1) + block("reboot"), r"nobody knows \('reboot'\), at byte"),
    ],
)
def test_what_is_none_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(TraceError, match=why):
        list(Reader().feed(data))


def test_damage_is_refused_or_read_and_nothing_else() -> None:
    data = head(2) + b"".join(rounds([LIFE, []], 1)) + stats(0) + END
    chance = random.Random(5)  # noqa: S311 - no secret
    refused = 0
    for _ in range(2000):
        hurt = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            hurt[chance.randrange(len(hurt))] = chance.randrange(256)
        try:
            for part in Reader().feed(bytes(hurt[: chance.randrange(len(hurt))])):
                if isinstance(part, Head):
                    part.trace()
        except TraceError:
            refused += 1
    assert 0 < refused < 2000


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("qemu", "-name", "web"), "web"),
        (("qemu", "-name", "web,debug-threads=on"), "web"),
        (("qemu", "-name", "debug-threads=on,guest=a b"), "a b"),
        (("qemu", "-name", "guest=a,,b,process=x"), "a,b"),
        (("qemu", "--name", "guest=a=b"), "a=b"),
        (("qemu", "-name", "debug-threads=on"), None),
        (("qemu", "-name"), None),
        (("qemu", "-m", "64"), None),
        ((), None),
    ],
)
def test_what_a_machine_is_called(words: tuple[str, ...], name: str | None) -> None:
    assert name_of(words) == name
