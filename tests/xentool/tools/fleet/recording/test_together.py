"""Many hosts recorded at once: what is kept of each, who is left out and why, and that none begins before all can."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.docs.shapes import wrong
from tests.traces.captures import stranger
from tests.traces.kvm import streams
from tests.traces.kvm import traces as kvm
from tests.xentool.cli.inprocess import Done, ran
from tests.xentool.tools.fleet.recording.fakehosts import DIES, REFUSES, FakeHosts
from traces.choice.where import Kinds
from xentool.documents.fleet import FleetRecord
from xentool.hosts import Host, resolve
from xentool.hosts.local import LocalHost
from xentool.tools.fleet.recording import together
from xentool.tools.fleet.recording.one import Wanted
from xentool.tools.fleet.recording.together import Gathered, Show, State, Target
from xentool.tools.tracing import sidecar

TRACE = stranger("intel-plain")
STREAM = streams.head(1) + b"".join(streams.rounds([kvm.LIFE], 1)) + streams.stats(0) + streams.END
MACHINES = {streams.PID: streams.WORDS}


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHosts:
    return FakeHosts(tmp_path / "hosts", monkeypatch)


def fleet(tmp_path: Path, *names: str, more: tuple[str, ...] = ("-d", "1")) -> Done:
    of = [word for name in names for word in ("-H", f"ssh://{name}")]
    return ran("fleet", "record", *of, "-o", str(tmp_path / "out"), *more)


def test_all_begin_when_all_are_ready_and_each_file_is_whole(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("xen1", TRACE)
    hosts.xen("xen2", TRACE * 2, ahead=3600)
    hosts.kvm("kvm1", STREAM, MACHINES)
    done = fleet(tmp_path, "xen1", "xen2", "kvm1", more=("-d", "1", "--json"))
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(line.split()[1] for line in hosts.told[:3]) == ["ready"] * 3
    assert [line.split()[1] for line in hosts.told[3:]].count("go") == 3
    told = json.loads(done.stdout)
    assert list(wrong(told, FleetRecord)) == []
    assert [(one["host"], one["kind"]) for one in told["recorded"]] == [
        ("ssh://xen1", "xen"),
        ("ssh://xen2", "xen"),
        ("ssh://kvm1", "kvm"),
    ]
    assert (told["failed"], told["interrupted"]) == ([], False)
    files = [Path(one["file"]) for one in told["recorded"]]
    assert [file.read_bytes() for file in files[:2]] == [TRACE, TRACE * 2]
    assert [one["bytes"] for one in told["recorded"]] == [file.stat().st_size for file in files]
    (dates,) = {file.name.partition("-")[2].partition(".")[0] for file in files}
    assert [file.name for file in files] == [
        f"xen1-{dates}.xentrace",
        f"xen2-{dates}.xentrace",
        f"kvm1-{dates}.dat",
    ]
    # However long an answer took, the offset lies within the error, and what began by both clocks agrees.
    for one, ahead_s in zip(told["recorded"], (0, 3600, 0), strict=True):
        clock = one["clock"]
        assert abs(clock["offset_s"] - ahead_s) <= clock["error_s"]
        assert json.loads(sidecar.path_of(Path(one["file"])).read_text())["clock"] == clock
    about = sidecar.read(files[1])
    assert about is not None
    assert (about.host, about.clock and about.clock.ns / 1e9) == (
        "ssh://xen2",
        told["recorded"][1]["clock"]["offset_s"],
    )


def test_who_cannot_be_recorded_is_told_and_the_others_are(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("good", TRACE)
    hosts.xen("held", record=REFUSES)
    hosts.xen("dies", TRACE[:4096], record=DIES)
    hosts.other("plain")
    hosts.kvm("many", STREAM, {7: ("qemu", "-name", "one"), 8: ("qemu", "-name", "two")})
    names = ("good", "held", "dies", "plain", "many", "away")
    done = fleet(tmp_path, *names, more=("-d", "1", "--json"))
    assert done.returncode == 1
    assert done.stderr == "xentool: 5 of 6 hosts not recorded, or not whole: listed above\n"
    told = json.loads(done.stdout)
    assert list(wrong(told, FleetRecord)) == []
    (good,) = told["recorded"]
    assert Path(good["file"]).read_bytes() == TRACE
    failed = {one["host"]: (one["error"], one["file"]) for one in told["failed"]}
    (part,) = (tmp_path / "out").glob("dies-*.xentrace")
    assert failed == {
        "ssh://held": (
            "ssh://held is being traced by another program (77 xentrace -e all /tmp/x); a host can make one trace at "
            "a time",
            None,
        ),
        "ssh://dies": (
            "lost the connection to ssh://dies (client_loop: send disconnect: Broken pipe); dom0 puts tracing back "
            "within 15 s",
            str(part),
        ),
        "ssh://plain": ("ssh://plain is neither a Xen dom0 nor a KVM host", None),
        "ssh://many": (
            "of a KVM host one machine is recorded, and ssh://many runs one, two: --machine says which",
            None,
        ),
        "ssh://away": ("cannot reach ssh://away: ssh: connect to host away port 22: Connection refused", None),
    }
    assert part.read_bytes() == TRACE[:4096]
    assert len(list((tmp_path / "out").glob("*.xentrace"))) == 2


def test_what_people_are_told(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("xen1", TRACE)
    hosts.xen("xen2", TRACE, ahead=-7200)
    done = fleet(tmp_path, "xen1", "xen2", "away")
    head, first, second, away, began = done.stdout.splitlines()
    assert head.split() == ["Host", "File", "Bytes", "Seconds", "Clock", "ahead", "±", "ms"]
    assert first.split()[:3:2] == ["ssh://xen1", f"{len(TRACE):,}"]
    ahead_s = float(second.split()[4])
    assert ahead_s == pytest.approx(-7200, abs=float(second.split()[6]) / 1000 + 0.001)
    assert away == "cannot reach ssh://away: ssh: connect to host away port 22: Connection refused"
    assert began.startswith("all began within ")
    assert done.stderr == "xentool: 1 of 3 hosts not recorded, or not whole: listed above\n"


def test_a_terminal_shows_a_line_for_each_host(
    tmp_path: Path, hosts: FakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.xen("xen1", TRACE)
    hosts.xen("held", record=REFUSES)
    for name, value in {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)
    words = ("-H", "ssh://xen1", "-H", "ssh://held", "-d", "1", "-o", str(tmp_path / "out"))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ran("fleet", "record", *words, terminal=True).stderr)
    lines = [line.rstrip() for line in shown.replace("\r", "\n").splitlines()]
    # The last that was drawn before it was taken away.
    (first,) = {line for line in lines if line.startswith("ssh://xen1  recorded")}
    assert first == "ssh://xen1  recorded  1.0 s  0.0 MB"
    assert (
        "ssh://held  not recorded: ssh://held is being traced by another program (77 xentrace -e all /tmp/x); a "
        in shown
    )


def test_a_report_knows_hosts_by_the_names_that_they_were_given(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("10.0.0.7", TRACE)
    assert ran("host", "add", "rack7", "ssh://10.0.0.7").returncode == 0
    done = ran("fleet", "record", "-H", "rack7", "-d", "1", "-o", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = (tmp_path / "out").glob("rack7-*.xentrace")
    about = sidecar.read(file)
    assert about is not None
    assert about.host == "rack7"


def test_bundles(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("xen1", TRACE)
    done = fleet(tmp_path, "xen1", more=("-d", "1", "--bundle"))
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = (tmp_path / "out").iterdir()
    assert file.suffix == ".zip"
    about = sidecar.read(file)
    assert about is not None
    assert about.clock is not None
    read = json.loads(ran("report", str(file), "--json").stdout)
    assert read["capture"]["bytes"] == len(TRACE)


def test_nobody_is_asked_for_a_password(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("xen1", TRACE)
    assert fleet(tmp_path, "xen1").returncode == 0
    (connect,) = (hosts.folder / "connects").read_text().splitlines()
    assert "-o BatchMode=yes " in connect


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-H", "ssh://a", "-H", "ssh://a", "-o", "out"), "ssh://a is given more than once"),
        (("-H", "nowhere", "-o", "out"), "no host is called 'nowhere'"),
        (("-H", "ssh://a"), "Missing option '-o'"),
        (("-o", "out"), "Missing option '-H'"),
    ],
)
def test_what_is_refused_at_once(words: tuple[str, ...], said: str, hosts: FakeHosts) -> None:
    done = ran("fleet", "record", *words)
    assert (done.returncode, done.stdout, hosts.told) == (2, "", [])
    assert said in done.stderr


class _Running:
    """A command in a process of its own."""

    def __init__(self, hosts: FakeHosts, out: Path, *names: str) -> None:
        self.hosts = hosts
        words = [word for name in names for word in ("-H", f"ssh://{name}")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "xentool", "fleet", "record", *words, "-o", str(out), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | hosts.environ,
        )

    def until(self, *lines: str) -> None:
        while not set(lines) <= set(self.hosts.told):
            assert self._process.poll() is None, self._process.communicate()
            time.sleep(0.05)

    def interrupted(self) -> tuple[int, dict[str, object]]:
        self._process.send_signal(signal.SIGINT)
        output, errors = self._process.communicate()
        assert errors == "", errors
        return self._process.returncode, json.loads(output)


def test_ctrl_c_stops_all_and_keeps_what_came(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("xen1", TRACE)
    hosts.xen("xen2", TRACE * 2)
    running = _Running(hosts, tmp_path / "out", "xen1", "xen2")
    running.until("xen1 recording", "xen2 recording")
    status, told = running.interrupted()
    assert (status, told["interrupted"], told["failed"]) == (130, True, [])
    assert {"xen1 stop", "xen2 stop"} <= set(hosts.told)
    assert sorted(file.read_bytes() for file in (tmp_path / "out").glob("*.xentrace")) == [TRACE, TRACE * 2]


def test_ctrl_c_before_the_begin_records_nothing(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("xen1", TRACE)
    hosts.hangs("slow")
    running = _Running(hosts, tmp_path / "out", "xen1", "slow")
    try:
        running.until("xen1 ready")
        status, told = running.interrupted()
    finally:
        hosts.release("slow")
    assert (status, told["recorded"]) == (130, [])
    assert told["failed"] == [
        {"host": f"ssh://{name}", "error": "Ctrl-C came before it began", "file": None} for name in ("xen1", "slow")
    ]
    # It may have been told of after Ctrl-C; then it finds itself left, which may be after the command's end.
    while hosts.told == ["xen1 ready"]:
        time.sleep(0.05)
    assert hosts.told == ["xen1 ready", "xen1 gone"]
    assert list((tmp_path / "out").iterdir()) == []


class _Clock:
    """A clock that stands still until it is told that time is over."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def gathered(targets: list[Target], show: Show, limit_s: float = 1e6) -> Gathered:
    return together.record(targets, Wanted(Kinds(), seconds=1.0), limit_s=limit_s, show=show)


def test_who_is_late_is_left_out(tmp_path: Path, hosts: FakeHosts, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts.xen("xen1", TRACE)
    released = threading.Event()
    clock = _Clock()
    monkeypatch.setattr(together, "time", clock)

    def late() -> Host:
        released.wait()
        return LocalHost()

    def show(_who: int, state: State) -> None:
        if state.phase == "ready":
            clock.now = 2e6

    targets = [Target("xen1", lambda: resolve("ssh://xen1"), tmp_path / "a"), Target("late", late, tmp_path / "b")]
    try:
        done = gathered(targets, show)
    finally:
        released.set()
    assert [one.file for one in done.recorded] == [tmp_path / "a.xentrace"]
    assert [(one.host, one.error) for one in done.missed] == [("late", "it was not ready within 1e+06 s")]


def test_a_mistake_of_ours_is_raised_once_the_others_have_ended(tmp_path: Path, hosts: FakeHosts) -> None:
    hosts.xen("xen1", TRACE)

    def wrong() -> Host:
        raise ZeroDivisionError

    targets = [Target("wrong", wrong, tmp_path / "b"), Target("xen1", lambda: resolve("ssh://xen1"), tmp_path / "a")]
    with pytest.raises(ZeroDivisionError):
        gathered(targets, lambda _who, _state: None)
    assert (tmp_path / "a.xentrace").read_bytes() == TRACE
