"""Runs on a host of KVM's, where it is sent as text: answers questions about QEMU's machines and their memory.

Law: it reads, and only reads. QEMU is asked by its own monitor for what it knows, its memory is read by /proc; no
machine is paused, though KVM holds a vCPU for the moment in which its registers are copied. It needs Python 3.8 alone.

A question is a line of words on stdin, a verb and numbers; an answer two 32-bit words, an errno and a length, and so
many bytes. The end of stdin ends it.

Ref: QEMU docs/interop/qmp-spec.rst, monitor/hmp-target.c (gpa2hva); Linux Documentation/admin-guide/mm/pagemap.rst
"""

from __future__ import annotations  # Python 3.8 knows no list[int]

import errno
import json
import os
import re
import socket
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

PAGE = 4096
NONE = (1 << 64) - 1
#: How much a question may ask for, and how long a monitor may take.
FRAMES, SECONDS = 64, 20
LINE = 1 << 20
VERBS = ("ready", "machines", "paging", "registers", "state", "frames", "places")
_HVA = re.compile(r"Host virtual address for .* is 0x([0-9a-f]+)")
_QMP = re.compile(r"unix:([^,]+)")


class Monitor:
    """A QEMU's monitor, which talks to one at a time."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.lines = self.socket.makefile("rb")
        try:
            self.socket.settimeout(SECONDS)
            self.socket.connect(path)
            self.lines.readline(LINE)  # who it is
            self.ask("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def ask(self, command: str, **words: object) -> Any:  # noqa: ANN401 - JSON
        """Ask for one thing; OSError where it is refused."""
        self.socket.sendall(json.dumps({"execute": command, "arguments": words}).encode() + b"\n")
        while line := self.lines.readline(LINE):
            told = json.loads(line)
            if "return" in told:
                return told["return"]
            if "error" in told:
                raise OSError(errno.EINVAL, str(told["error"]))
        raise OSError(errno.EPIPE, "QEMU has ended")

    def close(self) -> None:
        """Leave it to others."""
        self.lines.close()
        self.socket.close()


class Kvm:
    """What is asked, by verb; each raises OSError where it is refused."""

    def __init__(self) -> None:
        self.monitors: dict[int, Monitor] = {}

    def ready(self) -> bytes:
        """Tell that there is something to ask."""
        if not Path("/dev/kvm").exists():
            raise OSError(errno.ENODEV, "")
        return b""

    def machines(self) -> bytes:
        """Give QEMU's processes as JSON: pid, name, and where its monitor is."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:  # it ended meanwhile
                continue
            if "qemu" in Path(words[0]).name:
                after = dict(zip(words, words[1:]))  # noqa: B905, RUF007 - Python 3.8 has neither
                name = re.sub(r"^guest=", "", after.get("-name", "")).split(",")[0]
                qmp = _QMP.match(after.get("-qmp", ""))
                found.append({"pid": int(folder.name), "name": name or None, "qmp": qmp[1] if qmp else None})
        return json.dumps(found).encode()

    def paging(self) -> bytes:
        """Tell by what means guests are paged: nested, shadow, or nothing where the module does not tell."""
        for path in ("kvm_amd/parameters/npt", "kvm_intel/parameters/ept"):
            try:
                return b"nested" if Path("/sys/module", path).read_text().strip() in ("Y", "1") else b"shadow"
            except OSError:
                continue
        return b""

    def monitor(self, pid: int) -> Monitor:
        """Talk to a machine's monitor."""
        if pid not in self.monitors:
            (path,) = [each["qmp"] for each in json.loads(self.machines()) if each["pid"] == pid] or [None]
            if path is None:
                raise OSError(errno.ENOENT, "")
            try:
                self.monitors[pid] = Monitor(str(Path(f"/proc/{pid}/cwd", path)))
            except socket.timeout:  # noqa: UP041 - before Python 3.10 it was another
                # Somebody else talks to it.
                raise OSError(errno.EBUSY, "") from None
        return self.monitors[pid]

    def registers(self, pid: int, vcpu: int) -> bytes:
        """Give a vCPU's registers, as QEMU's monitor writes them."""
        words = {"command-line": "info registers", "cpu-index": vcpu}
        told: str = self.monitor(pid).ask("human-monitor-command", **words)
        return told.encode()

    def state(self, pid: int) -> bytes:
        """Tell whether a machine runs, in QEMU's words."""
        return str(self.monitor(pid).ask("query-status")["status"]).encode()

    def address(self, pid: int, frame: int) -> int | None:
        """Give where a guest's frame is in QEMU's address space; None where it is no memory."""
        words = {"command-line": f"gpa2hva {frame * PAGE:#x}"}
        told = _HVA.search(self.monitor(pid).ask("human-monitor-command", **words))
        return int(told[1], 16) if told else None

    def frames(self, pid: int, *frames: int) -> bytes:
        """Give frames' bytes: for each a byte that tells whether it is memory, and if so 4096 more."""
        found = b""
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        try:
            for frame in frames[:FRAMES]:
                at = self.address(pid, frame)
                page = b"" if at is None else os.pread(memory, PAGE, at)
                found += b"\1" + page if len(page) == PAGE else b"\0"
        finally:
            os.close(memory)
        return found

    def places(self, pid: int, *frames: int) -> bytes:
        """Tell where frames are, two words each: QEMU's address, and the frame in the machine; or all bits set."""
        found = b""
        pagemap = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
        try:
            for frame in frames[:FRAMES]:
                at = self.address(pid, frame)
                element = 0 if at is None else struct.unpack("<Q", os.pread(pagemap, 8, at // PAGE * 8))[0]
                # Bit 63: in memory. Who may not know the frame gets 0.
                host = element & ((1 << 55) - 1) if element >> 63 else 0
                found += struct.pack("<QQ", NONE if at is None else at, host or NONE)
        finally:
            os.close(pagemap)
        return found


def answer(kvm: Kvm, line: bytes) -> tuple[int, bytes]:
    """Give the errno and the bytes that answer a line."""
    verb, *words = line.decode().split()
    if verb not in VERBS:
        return errno.ENOSYS, b""
    try:
        return 0, getattr(kvm, verb)(*map(int, words))
    except OSError as refused:
        return refused.errno or errno.EIO, b""


def main(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there are no more questions."""
    kvm = Kvm()  # whose monitors are left as the process ends
    for line in questions:
        number, told = answer(kvm, line)
        answers.write(struct.pack("<II", number, len(told)) + told)
        answers.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
