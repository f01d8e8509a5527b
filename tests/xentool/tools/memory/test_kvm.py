"""A machine of QEMU's, asked by the program for its host: a monitor that is a thread, memory of this process."""

import contextlib
import ctypes
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.xentool.tools.memory.guests import ENTRIES, ROOT, TEXT, Memory
from xentool.errors import PeerError, Unavailable, XentoolError
from xentool.tools.memory import kvm, kvm_host
from xentool.tools.memory.asking import Ask, Refused
from xentool.tools.memory.guest import Kind
from xentool.tools.memory.look import look
from xentool.tools.memory.paging import FOUR_LEVELS, PAGE_BYTES, Paging
from xentool.tools.memory.walk import End

#: As QEMU 7.2 writes it, of a kernel that is idle; what is left out are general registers and the FPU's.
REGISTERS = f"""\
RAX=0000000000000000 RBX=0000000000000000 RCX=0000000000000001 RDX=0000000000000000
RIP={TEXT:016x} RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
ES =0000 0000000000000000 ffffffff 00c00000
CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]
SS =0018 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]
GDT=     fffffe0000001000 0000007f
CR0=80050033 CR2=00007ffd1c4d2ff8 CR3={ROOT:016x} CR4=003506f0
DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000
EFER=0000000000000d01
"""
REAL_MODE = """\
EAX=0000aa55 EBX=00000000 ECX=00000000 EDX=00000000
EIP=0000f39e EFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
CS =f000 000f0000 0000ffff 00009b00
CR0=00000010 CR2=00000000 CR3=00000000 CR4=00000000
EFER=0000000000000000
"""


class Qemu(threading.Thread):
    """A monitor; guest frames are pages of this process."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.frames = {frame: ctypes.create_string_buffer(bytes(page)) for frame, page in tables().pages.items()}
        self.asked: list[str] = []
        self.listens = socket.socket(socket.AF_UNIX)
        self.listens.bind(str(path))
        self.listens.listen()

    def run(self) -> None:
        try:
            connection, _ = self.listens.accept()
        except OSError:  # nobody asked anything
            return
        with contextlib.suppress(ConnectionError), connection, connection.makefile("rwb") as lines:
            lines.write(b'{"QMP": {"version": {}, "capabilities": []}}\n')
            lines.flush()
            for line in lines:
                lines.write(b'{"event": "RTC_CHANGE", "data": {}}\n')
                lines.write(json.dumps(self.answer(json.loads(line))).encode() + b"\n")
                lines.flush()

    def answer(self, asked: dict[str, Any]) -> dict[str, object]:
        words = asked["arguments"]
        self.asked.append(words.get("command-line", str(asked["execute"])))
        if asked["execute"] == "query-status":
            return {"return": {"status": "running", "running": True}}
        line = words.get("command-line", "")
        if line.startswith("gpa2hva "):
            frame, rest = divmod(int(line.split()[1], 16), PAGE_BYTES)
            if (page := self.frames.get(frame)) is None:
                return {"return": f"No memory is mapped at address {line.split()[1]}\r\n"}
            at = ctypes.addressof(page) + rest
            return {"return": f"Host virtual address for {line.split()[1]} (pc.ram) is {at:#x}\r\n"}
        if line == "info registers":
            if words["cpu-index"]:
                return {"error": {"class": "GenericError", "desc": "Invalid parameter 'cpu-index'"}}
            return {"return": REGISTERS.replace("\n", "\r\n")}
        return {"return": {}}


def tables() -> Memory:
    made = Memory()
    made.map(FOUR_LEVELS, ROOT, TEXT, ENTRIES)
    made.pages[0x148C44] = bytearray(b"\xcc" * PAGE_BYTES)
    return made


@pytest.fixture
def qemu(tmp_path: Path) -> Iterator[Qemu]:
    made = Qemu(tmp_path / "qmp")
    made.start()
    yield made
    with contextlib.suppress(OSError):
        made.listens.shutdown(socket.SHUT_RDWR)  # who waits for somebody to ask is woken
    made.join()
    made.listens.close()


@pytest.fixture
def ask(qemu: Qemu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """What answers as the program on the host does, in this process, which is the machine too."""
    assert not qemu.asked
    program = kvm_host.Kvm()
    listed = [
        {"pid": os.getpid(), "name": "web", "qmp": str(tmp_path / "qmp")},
        {"pid": os.getppid(), "name": "libvirts", "qmp": None},
    ]
    monkeypatch.setattr(program, "machines", lambda: json.dumps(listed).encode())
    monkeypatch.setattr(program, "paging", lambda: b"nested")

    def asked(verb: str, *numbers: int) -> bytes:
        number, told = kvm_host.answer(program, " ".join((verb, *map(str, numbers))).encode())
        if number:
            raise Refused(number)
        return told

    yield asked
    for monitor in program.monitors.values():
        monitor.close()


def test_a_machines_address(ask: Ask, qemu: Qemu) -> None:
    guest = kvm.guest(ask, "web", 0)
    assert (guest.subject.domid, guest.subject.kind, guest.subject.paused) == (os.getpid(), Kind.NESTED, False)
    seen = look(guest, TEXT)
    assert (seen.walk.end, seen.walk.address) == (End.PAGE, 0x148C442B5)
    assert seen.page is not None
    assert (seen.page.gfn, seen.page.hva) == (0x148C44, ctypes.addressof(qemu.frames[0x148C44]))
    assert [each.hva for each in seen.tables] == [
        ctypes.addressof(qemu.frames[frame]) for frame in (0x15CE6E, 0x149415, 0x149416, 0x14B413)
    ]
    # `stop` and all that writes are other commands.
    assert {line.split()[0] for line in qemu.asked} == {"qmp_capabilities", "info", "gpa2hva", "query-status"}


def test_what_is_no_memory_is_not_read(ask: Ask) -> None:
    guest = kvm.guest(ask, str(os.getpid()), 0)
    assert guest.read(0xFEE00) is None
    (facts,) = guest.facts([0xFEE00])
    assert (facts.mfn, facts.gfn, facts.hva) == (None, 0xFEE00, None)


def test_many_frames_are_asked_for_in_pieces(ask: Ask) -> None:
    facts = kvm.guest(ask, "web", 0).facts([0x148C44, *range(100), 0x14B413])
    assert [each.gfn for each in facts] == [0x148C44, *range(100), 0x14B413]
    assert (facts[0].hva is None, facts[1].hva, facts[-1].hva is None) == (False, None, False)


@pytest.mark.parametrize(
    ("text", "vcpu", "message"),
    [
        ("web", 1, "it has no vCPU 1"),
        ("libvirts", 0, "libvirt's is not asked"),
        ("late", 0, "there is no domain 'late'"),
    ],
)
def test_what_cannot_be_looked_at(ask: Ask, text: str, vcpu: int, message: str) -> None:
    with pytest.raises(XentoolError, match=message):
        kvm.guest(ask, text, vcpu)


def test_a_monitor_that_talks_to_somebody_else(ask: Ask, qemu: Qemu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm_host, "SECONDS", 0.05)
    (path,) = [each["qmp"] for each in json.loads(ask("machines")) if each["qmp"]]
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(path)
        assert other.recv(5) == b'{"QMP'
        with pytest.raises(Unavailable, match="its monitor talks to somebody else"):
            kvm.guest(ask, "web", 0)
    assert qemu.asked == []


def test_registers() -> None:
    seen = kvm.registers(2, REGISTERS.replace("\n", "\r\n"))
    assert (seen.number, seen.rip, seen.user) == (2, TEXT, False)
    assert seen.paging == Paging(FOUR_LEVELS, ROOT)
    assert seen.registers == {"cr0": 0x80050033, "cr3": ROOT, "cr4": 0x3506F0, "efer": 0xD01}
    assert kvm.registers(0, REGISTERS.replace("CPL=0", "CPL=3")).user
    real = kvm.registers(0, REAL_MODE)
    assert (real.rip, real.paging.mode) == (0xFF39E, None)


@pytest.mark.parametrize("told", ["", "unknown command: 'info registers'", REGISTERS.replace("EFER", "EFFR")])
def test_what_is_no_registers(told: str) -> None:
    with pytest.raises(PeerError, match="no registers"):
        kvm.registers(0, told)


def test_machines_are_found_by_their_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {
        7: "/usr/bin/qemu-system-x86_64 -name web,debug-threads=on -m 192 -qmp unix:/run/web.qmp,server=on,wait=off",
        8: "/usr/libexec/qemu-kvm -name guest=db,debug-threads=on -chardev socket,id=charmonitor,fd=24,server=on",
        9: "vi qemu.txt",
        10: "",
    }
    for pid, line in lines.items():
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "cmdline").write_bytes(line.replace(" ", "\0").encode() + b"\0" * bool(line))
    monkeypatch.setattr(
        kvm_host, "Path", lambda *parts: Path(tmp_path / parts[0][1:]) if parts == ("/proc",) else Path(*parts)
    )
    found = sorted(json.loads(kvm_host.Kvm().machines()), key=lambda each: int(each["pid"]))
    assert [tuple(each.values()) for each in found] == [(7, "web", "/run/web.qmp"), (8, "db", None)]
