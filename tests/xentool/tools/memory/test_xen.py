"""A domain of Xen, asked by the program that is sent to dom0, with libraries that are made of Python."""

import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.xentool.tools.memory.guests import ENTRIES, TEXT
from tests.xentool.tools.memory.libraries import CHANGES, DEVICE, GRANTED, SHARED, Libraries
from xentool.errors import PeerError, Unavailable, XentoolError
from xentool.hosts.base import Stream, spawn
from xentool.hosts.local import LocalHost
from xentool.tools import xl
from xentool.tools.memory import xen, xen_dom0
from xentool.tools.memory.asking import Ask, Refused, asked
from xentool.tools.memory.guest import DEVICES, Facts, Kind
from xentool.tools.memory.look import look
from xentool.tools.memory.walk import End

WEB = xl.Domain(1, "web", "pv", 1)


@pytest.fixture
def libraries() -> Libraries:
    return Libraries()


@pytest.fixture
def ask(libraries: Libraries) -> Ask:
    """What answers as the program in dom0 does, in this process."""
    program = xen_dom0.Xen(libraries.ctrl, libraries.foreign)  # type: ignore[arg-type] # made of Python

    def ask(verb: str, *numbers: int) -> bytes:
        number, told = xen_dom0.answer(program, " ".join((verb, *map(str, numbers))).encode())
        if number:
            raise Refused(number)
        return told

    return ask


def test_a_pv_guests_address(ask: Ask, libraries: Libraries) -> None:
    guest = xen.guest(ask, WEB, 0)
    assert (guest.subject.type, guest.subject.kind, guest.subject.vcpu.rip) == ("pv", Kind.DIRECT, TEXT)
    seen = look(guest, TEXT)
    assert [(facts.mfn, facts.table, facts.pinned) for facts in seen.tables] == [
        (0x15CE6E, 4, True),
        (0x149415, 3, False),
        (0x149416, 2, False),
        (0x14B413, 1, False),
    ]
    assert seen.page == Facts(0x148C44, 0x8C44, 1)
    assert libraries.mapped == {}
    assert not [name for name in libraries.calls if any(change in name for change in CHANGES)]


def test_whose_frames_are_that_are_not_its_own(ask: Ask, libraries: Libraries) -> None:
    guest = xen.guest(ask, WEB, 0)
    assert guest.facts([GRANTED, SHARED, DEVICE, 0x777]) == [
        Facts(GRANTED, None, 0),
        Facts(SHARED, None, 1, special=True),
        Facts(DEVICE, None, DEVICES),
        Facts(0x777),
    ]
    # They may be a device's, which a look could change.
    assert not {GRANTED, SHARED, DEVICE} & set(libraries.memory.reads)


def test_dom0_is_no_stranger_to_itself(ask: Ask) -> None:
    assert ask("maps", 0, GRANTED, 0x148C44) == b"\1\0"


def test_many_frames_are_asked_for_in_pieces(ask: Ask) -> None:
    guest = xen.guest(ask, WEB, 0)
    frames = [0x148C44, *range(0x10000, 0x10000 + 1500), 0x14B413]
    facts = guest.facts(frames)
    assert [each.mfn for each in facts] == frames
    assert (facts[0].gfn, facts[1].owner, facts[-1].table) == (0x8C44, None, 1)


def test_a_pvh_guests_frames_are_its_own_numbers(ask: Ask, libraries: Libraries) -> None:
    guest = xen.guest(ask, xl.Domain(4, "hv", "pvh", 1), 0)
    assert (guest.subject.type, guest.subject.kind, guest.subject.frames) == ("pvh", Kind.NESTED, "gfn")
    seen = look(guest, TEXT)
    assert (seen.walk.end, seen.walk.frame, seen.page) == (End.PAGE, 0x148C44, Facts(gfn=0x148C44))
    # For these Xen might make a page, were it asked of what type it is.
    assert "xc_get_pfn_type_batch" not in libraries.calls


@pytest.mark.parametrize(
    ("domain", "vcpu", "message"),
    [
        (xl.Domain(9, "late", None, 1), 0, r"domain late \(9\) is gone"),
        (WEB, 2, r"domain web \(1\) has no vCPU 2; its last is 1"),
        (WEB, 1, r"vCPU 1 of domain web \(1\) was never started"),
        (xl.Domain(0, "Domain-0", "pv", 1), 0, "the vCPU that asks; dom0 has others"),
    ],
)
def test_who_cannot_be_looked_at(ask: Ask, domain: xl.Domain, vcpu: int, message: str) -> None:
    with pytest.raises(XentoolError, match=message):
        xen.guest(ask, domain, vcpu)


@pytest.mark.parametrize("line", [b"pause 1", b"__init__", b"call 1", b"page 1 2"])
def test_nothing_but_the_verbs_can_be_asked(libraries: Libraries, line: bytes) -> None:
    program = xen_dom0.Xen(libraries.ctrl, libraries.foreign)  # type: ignore[arg-type] # made of Python
    assert xen_dom0.answer(program, line) == (38, b"")


def test_a_question_for_too_much_gets_what_is_allowed(ask: Ask) -> None:
    assert len(ask("maps", 1, *range(100))) == xen_dom0.FRAMES
    assert len(ask("types", 1, *range(2000))) == 8 * xen_dom0.MANY


class Sent(LocalHost):
    """A host that runs something else instead, which can import our tests."""

    name = "xen1"

    def __init__(self, program: str) -> None:
        self.program = program
        self.children: list[subprocess.Popen[bytes]] = []

    def popen(self, argv: Sequence[str], *, stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
        assert argv[:2] == ["python3", "-c"]
        compile(argv[2], "xen_dom0.py", "exec")
        child = spawn([sys.executable, "-c", self.program], stdin=stdin, stdout=stdout, stderr=stderr)
        self.children.append(child)
        return child


ANSWERING = """
import sys
from tests.xentool.tools.memory.libraries import Libraries
from xentool.tools.memory import xen_dom0
made = Libraries()
xen_dom0.library = lambda name: made.ctrl if name == "libxenctrl" else made.foreign
xen_dom0.main(sys.stdin.buffer, sys.stdout.buffer)
"""


def test_the_program_answers_over_a_hosts_pipes_until_it_is_left_alone() -> None:
    host = Sent(ANSWERING)
    with asked(host, xen.PROGRAM) as ask:
        assert look(xen.guest(ask, WEB, 0), TEXT).walk.frame == ENTRIES[-1] >> 12 & 0xFFFFFFFFFF
        with pytest.raises(Refused, match="Invalid argument"):
            ask("context", 1, 7)
    assert host.children[0].returncode == 0


@pytest.mark.parametrize(
    ("program", "kind", "message"),
    [
        ("raise SystemExit('there is no libxenctrl, which comes with it')", Unavailable, "there is no libxenctrl"),
        ("", Unavailable, "it gave no reason"),
        ("print('message of the day', flush=True); input()", PeerError, "answers by"),
        ("import sys; sys.stdout.buffer.write(b'\\0' * 6)", Unavailable, "no reason"),
    ],
)
def test_a_host_that_cannot_answer(program: str, kind: type[XentoolError], message: str) -> None:
    host = Sent(program)
    with pytest.raises(kind, match=message), asked(host, xen.PROGRAM):
        pass
    assert host.children[0].returncode is not None


def test_libraries_are_those_of_the_release_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert struct.calcsize("P") == 8
    made = [tmp_path / f"libxenctrl.so.{version}" for version in ("4.17", "4.20", "4.9")]
    for path in made:
        path.touch()
    opened: list[str] = []
    monkeypatch.setattr(xen_dom0, "FOLDERS", (str(tmp_path).lstrip("/"),))
    monkeypatch.setattr("ctypes.CDLL", lambda path, **_: opened.append(path))
    for version in (["4", "17"], ["4", "20"]):
        parts = iter(version)
        monkeypatch.setattr(xen_dom0, "running", lambda parts=parts: ".".join(parts))
        xen_dom0.library("libxenctrl")
    assert opened == [str(made[0]), str(made[1])]
    with pytest.raises(OSError, match="there is no libxenforeignmemory"):
        xen_dom0.library("libxenforeignmemory")
