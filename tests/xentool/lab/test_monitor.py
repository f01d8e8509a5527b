"""A machine that is saved, and goes on elsewhere with its memory and its disk: QEMU itself, with a boot sector."""

import asyncio
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.missing import missing
from xentool.errors import XentoolError
from xentool.lab import monitor, process, qemu

#: It writes a mark to memory, that to the disk's second sector by the BIOS, and then another mark beside it.
#:   xor ax, ax; mov es, ax; mov ds, ax; mov byte [0x8000], 0x5a
#:   mov bx, 0x8000; mov ax, 0x0301; mov cx, 2; mov dx, 0x80; int 0x13
#:   mov byte [0x8001], 0xa5; jmp $
_PROGRAM = "31c0 8ec0 8ed8 c60600805a bb0080 b80103 b90200 ba8000 cd13 c6060180a5 ebfe"
_SECTOR = bytes.fromhex(_PROGRAM).ljust(510, b"\0") + b"\x55\xaa"
_MARKS = "0000000000008000: 0x5a 0xa5"


def start(run: Path, disk: str, *more: str) -> None:
    argv = [qemu.PROGRAM, "-accel", "tcg", "-m", "16", "-nodefaults", "-display", "none", "-daemonize"]
    argv += ["-pidfile", str(run / qemu.PIDFILE), "-qmp", f"unix:{qemu.MONITOR},server=on,wait=off"]
    argv += ["-drive", f"if=ide,format=qcow2,{disk}", *more]
    subprocess.run(argv, cwd=run, check=True, capture_output=True)


def marks(run: Path) -> str:
    from qemu.qmp import QMPClient  # noqa: PLC0415 - an extra that only labs need

    async def asked() -> object:
        client = QMPClient("test")
        await client.connect(str(run / qemu.MONITOR))
        try:
            return await client.execute("human-monitor-command", {"command-line": "xp /2bx 0x8000"})
        finally:
            await client.disconnect()

    return str(asyncio.run(asked())).strip()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of a machine that has written both marks."""
    if shutil.which(qemu.PROGRAM) is None:
        missing(f"{qemu.PROGRAM} is not installed")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = tmp_path / "run"
    folder.mkdir()
    disk = tmp_path / "disk"
    disk.write_bytes(_SECTOR.ljust(1 << 20, b"\0"))
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(disk), str(folder / qemu.DISK)]
    subprocess.run(argv, check=True)
    start(folder, f"file={folder / qemu.DISK}")
    while marks(folder) != _MARKS:
        pass
    yield folder
    for each in tmp_path.glob(f"*/{qemu.PIDFILE}"):
        process.kill(each.parent)


def test_a_saved_machine_goes_on_here_and_from_what_is_saved(run: Path) -> None:
    state, disk = run.parent / "it's the state", run.parent / "saved.qcow2"
    monitor.save(run, state, partial(shutil.copy, run / qemu.DISK, disk))
    assert monitor.run_state(run) == "running"
    monitor.quit_machine(run)
    assert process.wait(run, 60)
    other = run.parent / "other"
    other.mkdir()
    start(other, f"snapshot=on,file={disk}", "-incoming", f"exec:cat {shlex.quote(str(state))}")
    monitor.resume(other)
    assert monitor.run_state(other) == "running"
    assert marks(other) == _MARKS
    # What the disk had when it was saved is there, on top of one that nobody has written to.
    raw = run.parent / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
    assert raw.read_bytes()[:513] == _SECTOR + b"\x5a"
    assert (run.parent / "disk").read_bytes()[512] == 0


def test_what_cannot_be_written_is_told_and_the_machine_goes_on(run: Path) -> None:
    with pytest.raises(XentoolError, match=r"^QEMU wrote no state: "):
        monitor.save(run, run.parent / "no/such/state", lambda: pytest.fail("there is no state"))
    assert monitor.run_state(run) == "running"

    def fail() -> None:
        raise XentoolError("no room for the disk")

    with pytest.raises(XentoolError, match=r"^no room for the disk$"):
        monitor.save(run, run.parent / "state", fail)
    assert monitor.run_state(run) == "running"


def test_a_state_that_is_cut_off_is_told(run: Path) -> None:
    state = run.parent / "state"
    monitor.save(run, state, lambda: None)
    monitor.quit_machine(run)
    assert process.wait(run, 60)
    os.truncate(state, state.stat().st_size // 2)
    start(run, f"file={run / qemu.DISK}", "-incoming", f"exec:cat {state}")
    with pytest.raises(XentoolError, match=r"^QEMU"):
        monitor.resume(run)
    assert process.wait(run, 60)


def test_nobody_who_answers_is_told(tmp_path: Path) -> None:
    assert monitor.run_state(tmp_path) is None
    monitor.quit_machine(tmp_path)
    with pytest.raises(XentoolError, match=r"^QEMU: there is no "):
        monitor.resume(tmp_path / "none")
