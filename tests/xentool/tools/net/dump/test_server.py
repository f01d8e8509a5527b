"""A daemon's socket and who comes there: what is right, what is not, and who never takes what he wanted."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pvdrivers.net.watched import Seen, Watched
from tests.pvdrivers.net.lanes import STUCK
from xentool.errors import XentoolError
from xentool.tools.net.dump.audience import Audience
from xentool.tools.net.dump.client import Watching, watching
from xentool.tools.net.dump.records import End, Record, Vif, Wish
from xentool.tools.net.dump.server import Server

WEB, DB = Vif(1, 0), Vif(2, 3)


def saw(shown: Watched, *frames: bytes) -> None:
    if shown.by:
        shown.by.saw(0, [Seen(True, b"r" * 12, b"a" * 4, frame) for frame in frames])


def until_end(watch: Watching) -> tuple[list[bytes], int]:
    """Give all frames that are yet to come, and how many were lost."""
    frames, lost = [], 0
    while not watch.over:
        for record in watch.take(STUCK):
            lost += record.lost
            if isinstance(record, Record):
                frames.append(bytes(record.seen.data))
    return frames, lost


class Daemon:
    def __init__(self, folder: Path) -> None:
        self.folder, self.audience, self.lines = folder, Audience(), list[str]()
        self.web, self.db = self.audience.plugged(WEB), self.audience.plugged(DB)
        self.server = Server(folder, self.audience, self.lines.append)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "run")
    with made.server:
        yield made
    assert made.lines == []
    assert list((tmp_path / "run").iterdir()) == []


def test_the_socket_is_this_users_alone(daemon: Daemon) -> None:
    (path,) = daemon.folder.iterdir()
    assert (path.name, path.stat().st_mode & 0o777) == (f"{os.getpid()}.watch", 0o600)
    assert daemon.folder.stat().st_mode & 0o777 == 0o700


def test_what_goes_by_is_shown_until_one_leaves(daemon: Daemon) -> None:
    with watching(daemon.folder, Wish(), "all") as watch:
        assert watch.vifs == [WEB, DB]
        saw(daemon.db, b"one")
        saw(daemon.web, b"two", b"three")
        got: list[Record | End] = []
        # In as many messages as they happen to fit.
        while len(got) < 3:
            got += watch.take(STUCK)
        watch.leave()
        got += [Record(0, 0, 0, 0, 0, Seen(True, b"", b"", frame)) for frame in until_end(watch)[0]]
    assert {record.seen.data for record in got if isinstance(record, Record)} == {b"one", b"two", b"three"}
    assert (daemon.web.by, daemon.db.by) == (None, None)


def test_what_was_seen_before_one_left_still_comes(daemon: Daemon) -> None:
    with watching(daemon.folder, Wish(1), "domain 1") as watch:
        frames = [bytes([number % 256]) * 5000 for number in range(500)]
        saw(daemon.web, *frames)
        watch.leave()
        got, lost = until_end(watch)
    assert (got, lost) == (frames, 0)


def test_who_does_not_take_costs_a_bound_and_is_told_at_last(daemon: Daemon) -> None:
    with watching(daemon.folder, Wish(1), "domain 1") as stuck:
        for _ in range(40):
            saw(daemon.web, *[bytes(10000)] * 50)
        # Others have theirs meanwhile.
        with watching(daemon.folder, Wish(1), "domain 1") as other:
            saw(daemon.web, b"here")
            (record,) = other.take(STUCK)
            assert isinstance(record, Record)
            assert record.seen.data == b"here"
        stuck.leave()
        got, lost = until_end(stuck)
    assert len(got) + lost == 2001
    assert 0 < len(got) < (4 << 20) // 10000 + 200


def test_who_is_nobodys_and_what_is_not_there(daemon: Daemon) -> None:
    for wish, whose, said in (
        (Wish(7), "domain 7", "no daemon serves vifs of domain 7: `xentool net serve` is one"),
        (Wish(2, 1), "domain 2", "domain 2 has no vif 1; served are vif2.3"),
    ):
        with pytest.raises(XentoolError) as error, watching(daemon.folder, wish, whose):
            pass
        assert str(error.value) == said
    with pytest.raises(XentoolError, match="no daemon"), watching(daemon.folder / "none", Wish(), "loopback x"):
        pass


def test_there_is_room_for_some(daemon: Daemon) -> None:
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(watching(daemon.folder, Wish(1), "domain 1"))
        with pytest.raises(XentoolError, match="domain 1 cannot be watched: 8 watch already"):
            stack.enter_context(watching(daemon.folder, Wish(1), "domain 1"))


@pytest.mark.parametrize("message", [b"nonsense", b"[1]", b"\0" * 5000])
def test_who_talks_nonsense_is_hung_up_on(daemon: Daemon, message: bytes) -> None:
    (path,) = daemon.folder.iterdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.settimeout(STUCK)
        peer.connect(str(path))
        peer.send(message)
        assert peer.recv(100) == b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.settimeout(STUCK)
        peer.connect(str(path))
        peer.send(Wish().encode())
        assert peer.recv(1000)
        peer.send(b"more")
        assert peer.recv(100) == b""


def test_a_daemon_that_ends_tells_so(tmp_path: Path) -> None:
    made = Daemon(tmp_path)
    with ExitStack() as stack:
        with made.server:
            watch = stack.enter_context(watching(tmp_path, Wish(), "all"))
            saw(made.web, b"last")
        assert until_end(watch) == ([b"last"], 0)


def test_what_killed_daemons_leave_is_cleared_away(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"{gone.pid}.watch").touch()
    (tmp_path / "lock").touch()
    with Daemon(tmp_path).server:
        assert {path.name for path in tmp_path.iterdir()} == {f"{os.getpid()}.watch", "lock"}
        with watching(tmp_path, Wish(), "all") as watch:
            assert watch.vifs == [WEB, DB]


def test_a_folder_that_others_may_write_to_is_not_believed(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(XentoolError, match="others may write"):
        Daemon(tmp_path)
    with pytest.raises(XentoolError, match="others may write"), watching(tmp_path, Wish(), "all"):
        pass


def test_several_daemons_may_serve_a_domain(daemon: Daemon) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from xentool.tools.net.dump.audience import Audience\n"
        "from xentool.tools.net.dump.records import Vif\n"
        "from xentool.tools.net.dump.server import Server\n"
        "crowd = Audience(); crowd.plugged(Vif(1, 4))\n"
        "with Server(Path(sys.argv[1]), crowd, print):\n"
        "    print(flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(daemon.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdin
        other.stdout.readline()
        with watching(daemon.folder, Wish(1), "domain 1") as watch:
            assert sorted(watch.vifs) == [WEB, Vif(1, 4)]
            saw(daemon.web, b"x")
            (record,) = watch.take(STUCK)
            assert isinstance(record, Record)
            assert watch.vifs[record.vif] == WEB
            other.stdin.close()
            assert [type(each) for each in watch.take(STUCK)] == [End]
        other.wait()
