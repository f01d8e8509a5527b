"""capture.sh on a tracefs that is a folder: what it sets, what it sends, and that nothing is left whatever ends it."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.pvdrivers.bus.joined import until
from tests.traces.kvm.traces import LIFE, page
from tests.xentool.tools.tracing.tracefs.faketracefs import FakeTracefs
from traces.kvm.stream import Asked, End, Head, Pages, Part, Reader, Round, Stats, Thread

SHELLS = [one for one in ("sh", "bash", "busybox") if shutil.which(one)]


class Script:
    """The script at work on a process that stands for a machine."""

    def __init__(self, process: "subprocess.Popen[bytes]", fake: FakeTracefs) -> None:
        self.process, self.fake = process, fake
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.stdin: IO[bytes] = process.stdin
        self._stdout, self._stderr = process.stdout, process.stderr
        self._reader = Reader()
        self.parts: list[Part] = []

    def hear(self, done: Callable[[], object]) -> None:
        """Read what it sends until something holds."""
        while not done():
            data = os.read(self._stdout.fileno(), 1 << 16)
            assert data, self._stderr.read()
            self.parts += self._reader.feed(data)

    def said(self) -> str:
        """Wait for what it says next of itself."""
        return self._stderr.readline().decode().strip().removeprefix("xentool: ")

    def end(self) -> list[str]:
        """Read it to its end; give what it said of itself."""
        while data := os.read(self._stdout.fileno(), 1 << 16):
            self.parts += self._reader.feed(data)
        said = self._stderr.read().decode().splitlines()
        self.process.wait(600)
        return [line.removeprefix("xentool: ") for line in said]

    def of(self, kind: type[Part]) -> list[Part]:
        """Give the parts of a kind that came."""
        return [one for one in self.parts if isinstance(one, kind)]


@contextmanager
def started(
    fake: FakeTracefs,
    machine: int,
    *,
    shell: str = "sh",
    time: int = 0,
    patience: int = 100_000,
    uid: int = 0,
    gate: bool = False,
) -> Iterator[Script]:
    pipe = subprocess.PIPE
    words = [*([shell] if shell != "busybox" else ["busybox", "sh"]), "-c", fake.script(patience=patience), "sh"]
    process = subprocess.Popen(
        [*words, str(machine), str(time), "64", *(["gate"] if gate else [])],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        bufsize=0,
        env=fake.environ | {"PRETENDED_UID": str(uid)},
        start_new_session=True,
    )
    try:
        yield Script(process, fake)
    finally:
        with_all = process.poll() is None
        if with_all:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def fake(tmp_path: Path) -> FakeTracefs:
    return FakeTracefs(tmp_path)


@pytest.fixture
def machine() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_it_sets_and_sends(fake: FakeTracefs, machine: "subprocess.Popen[bytes]", shell: str) -> None:
    with started(fake, machine.pid, shell=shell) as script:
        script.hear(lambda: script.of(Head))
        (head,) = script.of(Head)
        assert isinstance(head, Head)
        assert (head.pid, head.words, head.cpus, head.page_size) == (machine.pid, ("sleep", "600"), (0, 1), 4096)
        assert head.threads == {machine.pid: "sleep"}
        assert {one.name for one in head.trace().layouts.values()} > {"kvm_exit", "sched_switch", "sched_wakeup_new"}
        (instance,) = fake.instances
        assert instance.name == f"xentool-{script.process.pid}"
        until(lambda: (instance / "events/sched/sched_wakeup_new/enable").read_text() == "1\n")
        assert (instance / "events/kvm/enable").read_text() == "1\n"
        assert (instance / "trace_clock").read_text() == "mono\n"
        assert (instance / "buffer_size_kb").read_text() == "64\n"
        # Twice, since threads may begin before those of a thread that is known are followed.
        assert (instance / "set_event_pid").read_text() == 2 * f"{machine.pid}\n"
        assert (instance / "options/event-fork").read_text() == "1\n"

        sent = page(LIFE[:3]) + page(LIFE[3:5])
        with fake.pages(0), fake.pages(1) as second:
            os.write(second, sent)
            fake.says(1, 5)
            script.hear(lambda: script.of(Pages))
            fake.says(1, 0)
            script.hear(lambda: script.of(Round))
            late = page(LIFE[5:])
            os.write(second, late)
            fake.says(1, 0, overrun=3)
            script.stdin.write(b"\nstop\n")
            said = script.end()
        asked = [one for one in script.of(Asked) if isinstance(one, Asked) and one.entries]
        assert asked[0] == Asked(1, 5)
        pages = [one for one in script.parts if isinstance(one, Pages)]
        assert {one.cpu for one in pages} == {1}
        # What came after it was told to stop is there as well.
        assert b"".join(one.data for one in pages) == sent + late
        stats = [one for one in script.parts if isinstance(one, Stats)]
        assert [one.cpu for one in stats] == [0, 1]
        assert "overrun: 3" in stats[1].text
        assert script.of(Thread) == [Thread(machine.pid, "sleep")]
        assert script.parts[-1] == End()
    assert [line.split()[0] for line in said] == ["started", "began", "over", "ended"]
    assert said[-1] == "ended stop"
    assert fake.instances == []


@pytest.mark.parametrize("shell", SHELLS)
def test_it_begins_when_it_is_told_to(fake: FakeTracefs, machine: "subprocess.Popen[bytes]", shell: str) -> None:
    with started(fake, machine.pid, shell=shell, gate=True) as script:
        assert script.said() == "ready"
        (instance,) = fake.instances
        assert (instance / "set_event_pid").read_text() == 2 * f"{machine.pid}\n"
        assert (instance / "events/kvm/enable").read_text() == ""
        script.stdin.write(b"\n\ngo\ngo\n")
        script.hear(lambda: script.of(Head))
        until(lambda: (instance / "events/sched/sched_wakeup_new/enable").read_text() == "1\n")
        script.stdin.write(b"go\nstop\n")
        assert [line.split()[0] for line in script.end()] == ["started", "began", "over", "ended"]
    assert fake.instances == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("word", "ended"), [(b"", "ended gone"), (b"stop\n", "ended stop")])
def test_it_is_called_off(
    fake: FakeTracefs, machine: "subprocess.Popen[bytes]", shell: str, word: bytes, ended: str
) -> None:
    with started(fake, machine.pid, shell=shell, gate=True) as script:
        assert script.said() == "ready"
        script.stdin.write(word)
        if not word:
            script.stdin.close()
        assert script.end() == [ended]
        assert script.parts == []
    assert fake.instances == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_client_that_is_gone(fake: FakeTracefs, machine: "subprocess.Popen[bytes]", shell: str) -> None:
    with started(fake, machine.pid, shell=shell) as script:
        script.hear(lambda: script.of(Head))
        script.stdin.close()
        assert script.end()[-1] == "ended gone"
    assert fake.instances == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_client_that_is_silent(fake: FakeTracefs, machine: "subprocess.Popen[bytes]", shell: str) -> None:
    with started(fake, machine.pid, shell=shell, patience=30) as script:
        script.hear(lambda: script.of(Head))
        assert script.end()[-1] == "ended silent"
    assert fake.instances == []


def test_a_client_that_reads_no_more(fake: FakeTracefs, machine: "subprocess.Popen[bytes]") -> None:
    with started(fake, machine.pid, patience=100) as script:
        script.hear(lambda: script.of(Head))
        with fake.pages(0) as pages:
            # More than what lies between the two takes, so that whatever copies it waits for ever.
            fcntl.fcntl(pages, fcntl.F_SETPIPE_SZ, 1 << 20)
            os.write(pages, page(LIFE) * 200)
            fake.says(0, 1 << 20)
            assert script.process.wait() == 0
    assert fake.instances == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_that_is_killed(fake: FakeTracefs, machine: "subprocess.Popen[bytes]", shell: str) -> None:
    with started(fake, machine.pid, shell=shell) as script:
        script.hear(lambda: script.of(Head))
        script.process.kill()
        # Who watches over it looks when the client says something, and must not see it alive still.
        script.process.wait()
        script.stdin.write(b"\n")
        assert script.end()[-1] == "ended killed"
    assert fake.instances == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals(fake: FakeTracefs, machine: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with started(fake, machine.pid) as script:
        script.hear(lambda: script.of(Head))
        script.process.send_signal(number)
        assert script.end()[-1] == "ended gone"
    assert fake.instances == []


def test_a_machine_that_ends(fake: FakeTracefs, machine: "subprocess.Popen[bytes]") -> None:
    with started(fake, machine.pid) as script:
        script.hear(lambda: script.of(Head))
        # Its parent has not waited for it yet.
        machine.kill()
        assert script.end()[-1] == "ended over"
        assert script.parts[-1] == End()
    assert fake.instances == []


def test_its_time(fake: FakeTracefs, machine: "subprocess.Popen[bytes]") -> None:
    with started(fake, machine.pid, time=20) as script:
        *_, over, ended = script.end()
    assert ended == "ended stop"
    assert int(over.split()[2]) >= 20


def test_what_others_left_is_removed(fake: FakeTracefs, machine: "subprocess.Popen[bytes]") -> None:
    with subprocess.Popen(["true"]) as done:
        done.wait()
    alive = fake.root / "instances" / f"xentool-{machine.pid}"
    foreign = fake.root / "instances" / "somebody"
    for left in (alive, foreign, fake.root / "instances" / f"xentool-{done.pid}"):
        left.mkdir()
    with started(fake, machine.pid, time=1) as script:
        assert script.end()[-1] == "ended stop"
    assert fake.instances == sorted([alive, foreign])


@pytest.mark.parametrize(
    ("missing", "why", "uid"),
    [
        ("", "refused permission", 1000),
        ("instances", "refused no-tracefs", 0),
        ("events/kvm", "refused no-kvm", 0),
    ],
)
def test_refusals(fake: FakeTracefs, machine: "subprocess.Popen[bytes]", missing: str, why: str, uid: int) -> None:
    if missing:
        shutil.rmtree(fake.root / missing)
    with started(fake, machine.pid, uid=uid) as script:
        assert script.end() == [why]
        assert script.parts == []


def test_a_machine_that_is_gone(fake: FakeTracefs, machine: "subprocess.Popen[bytes]") -> None:
    machine.kill()
    machine.wait()
    with started(fake, machine.pid) as script:
        assert script.end() == ["refused gone"]


def test_a_kernel_that_gives_no_instance(fake: FakeTracefs, machine: "subprocess.Popen[bytes]") -> None:
    (fake.root.parent / "bin/mkdir").write_text("#!/bin/sh\necho mkdir: no memory >&2; exit 1\n")
    with started(fake, machine.pid) as script:
        assert script.end() == ["mkdir: no memory", "refused no-instance"]
