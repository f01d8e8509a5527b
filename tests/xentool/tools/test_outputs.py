"""Files that appear when they are complete: nothing unfinished has a name where others read, and nothing is left."""

import ctypes
import os
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.traces.captures import NAMES, capture
from xentool.errors import XentoolError
from xentool.tools import outputs
from xentool.tools.outputs import replaced
from xentool.tools.tracing import exports, pages

_LIBC = ctypes.CDLL(None, use_errno=True)
_CREATED, _MOVED_TO = 0x100, 0x80


@contextmanager
def appearing(folder: Path) -> Iterator[list[str]]:
    """Give what names appear in a folder, once it is left."""
    found: list[str] = []
    watch = _LIBC.inotify_init1(os.O_NONBLOCK)
    assert _LIBC.inotify_add_watch(watch, os.fsencode(folder), _CREATED | _MOVED_TO) >= 0
    try:
        yield found
        try:
            events = os.read(watch, 1 << 16)
        except BlockingIOError:
            events = b""
        while events:
            size = struct.unpack_from("=iIII", events)[3]
            found.append(events[16 : 16 + size].rstrip(b"\0").decode())
            events = events[16 + size :]
    finally:
        os.close(watch)


def nowhere(_folder: Path) -> None:
    """Stand in for a file system without nameless files."""


@pytest.fixture(params=["nameless", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "named":
        monkeypatch.setattr(outputs, "_nameless", nowhere)
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tables"
    made.mkdir()
    return made


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.usefixtures("way")
def test_only_the_complete_file_ever_has_a_name_there(old: bytes | None, folder: Path) -> None:
    target = folder / "x.parquet"
    if old is not None:
        target.write_bytes(old)
    with appearing(folder) as names:
        with replaced(target) as file:
            file.write(b"new")
            file.flush()
            assert [one.read_bytes() for one in folder.iterdir()] == [old] * (old is not None)
        assert target.read_bytes() == b"new"
    assert names == ["x.parquet"]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("name", [*exports.FORMATS, "html"])
def test_every_export_is_written_so(name: str, folder: Path) -> None:
    trace = folder / "a.xentrace"
    trace.write_bytes(capture(NAMES[0])[:100_000])
    target = folder / "out"
    target.write_bytes(b"old")
    during: set[str] = set()

    def watch(_done: int, _total: int) -> None:
        during.update(one.name for one in folder.iterdir())
        assert target.read_bytes() == b"old"

    with appearing(folder) as names:
        if name == "html":
            pages.write(trace, target, progress=watch)
        else:
            exports.export(trace, exports.FORMATS[name], target, progress=watch)
    assert names == ["out"]
    assert during == {"a.xentrace", "out"}
    assert target.read_bytes() != b"old"


@pytest.mark.usefixtures("way")
def test_what_fails_leaves_what_was_there(folder: Path) -> None:
    target = folder / "x"
    target.write_bytes(b"old")
    with pytest.raises(TypeError), replaced(target) as file:
        file.write("no bytes")  # type: ignore[call-overload] # it is to fail
    assert [one.read_bytes() for one in folder.iterdir()] == [b"old"]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.usefixtures("way")
def test_modes_and_links(folder: Path) -> None:
    target, link, private = folder / "x", folder / "link", folder / "private"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to("x")
    with replaced(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", 0o600)
    private.touch(0o644)
    with replaced(private, private=True):
        pass
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    (folder / "dangling").symlink_to("made")
    before = os.umask(0o027)
    try:
        with replaced(folder / "dangling") as file:
            file.write(b"new")
    finally:
        os.umask(before)
    made = folder / "made"
    assert (made.read_bytes(), stat.S_IMODE(made.stat().st_mode)) == (b"new", 0o640)


def test_a_target_on_a_file_system_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its folder is the only one there; and one that is mounted a second time looks as if it were there, too.
    beside = outputs._beside

    def only_there(target: Path) -> Iterator[object]:
        yield beside(target)

    def elsewhere(_file: Path, _target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    target = folder / "x"
    target.write_bytes(b"old")
    monkeypatch.setattr(outputs, "_asides", only_there)
    with replaced(target) as file:
        file.write(b"new")
    assert [one.read_bytes() for one in folder.iterdir()] == [b"new"]
    source = folder.parent / "source"
    source.write_bytes(b"newer")
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda one, to: replace(one, to) if one.parent == folder else elsewhere(one, to)
    )
    outputs._move(source, target)
    assert [one.read_bytes() for one in folder.iterdir()] == [b"newer"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "no" / "x", "No such file or directory"),
        (lambda folder: folder / "a.xentrace" / "x", "Not a directory"),
        (lambda folder: folder, "Is a directory"),
        (lambda folder: folder / ("x" * 300), "File name too long"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_read(
    make: Callable[[Path], Path], reason: str, folder: Path
) -> None:
    trace = folder / "a.xentrace"
    trace.write_bytes(capture(NAMES[0])[:100_000])
    target = make(folder)
    read: list[int] = []
    with pytest.raises(XentoolError) as told:
        exports.export(trace, exports.FORMATS["csv"], target, progress=lambda done, _total: read.append(done))
    assert str(told.value) == f"cannot write {target}: {reason}"
    assert not read


def test_no_room_is_told_with_the_files_name(folder: Path) -> None:
    with pytest.raises(XentoolError, match=r"cannot write .*/x: No space left on device"), replaced(folder / "x"):
        raise OSError(28, "No space left on device")
    with pytest.raises(OSError, match="Input/output"), replaced(folder / "x"):
        raise OSError(5, "Input/output error")
    assert not list(folder.iterdir())


def test_no_room_is_told_so_for_what_is_written_in_small_pieces(folder: Path) -> None:
    # What the file's buffer still holds then is tried again when it is closed, and fails once more.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(XentoolError, match=r"cannot write .*/x: File too large"), replaced(folder / "x") as file:
            file.writelines([bytes(100)] * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(folder.iterdir())
    full = Path("/dev/full")
    with pytest.raises(XentoolError, match="cannot write /dev/full: No space left"), replaced(full) as file:
        file.write(bytes(100))


_WAITS = """
import sys, time
from pathlib import Path
from xentool.tools import outputs
if sys.argv[2] == "named":
    outputs._nameless = lambda folder: None
with outputs.orderly_end(), outputs.replaced(Path(sys.argv[1])) as file:
    file.write(b"new")
    file.flush()
    print("waits", flush=True)
    # What comes right before a wait without an end would not end it.
    while True:
        time.sleep(0.05)
"""


@pytest.mark.parametrize(
    ("how", "number", "code"),
    [
        ("named", signal.SIGTERM, 143),
        ("named", signal.SIGHUP, 129),
        ("named", signal.SIGINT, -signal.SIGINT),
        ("nameless", signal.SIGTERM, 143),
        ("nameless", signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_whatever_ends_it_leaves_nothing(how: str, number: signal.Signals, code: int, folder: Path) -> None:
    command = [sys.executable, "-c", _WAITS, str(folder / "x"), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        assert process.stdout.readline() == b"waits\n"
        process.send_signal(number)
        assert process.wait(600) == code
    assert not list(folder.iterdir())
    assert list(folder.parent.iterdir()) == [folder]


def test_a_query_that_is_ended_leaves_no_table(folder: Path) -> None:
    command = [sys.executable, "-m", "xentool", "sql", "-", "select 1"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        # Its own: Python's tempfile tries a folder out by a file first.
        while not list(folder.glob("xentool-sql-*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        assert process.wait(600) == 143
    assert not list(folder.iterdir())


@pytest.mark.parametrize("when", ["mkdtemp", "rmtree"])
def test_a_signal_that_comes_while_a_folder_is_made_or_removed(
    when: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tempfile if when == "mkdtemp" else shutil
    real: Callable[..., object] = getattr(module, when)
    came = []

    def interrupted(*words: object, **more: object) -> object:
        done = real(*words, **more)
        came.append(list(folder.iterdir()))
        # It raises, but not here.
        signal.raise_signal(signal.SIGTERM)
        return done

    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(module, when, interrupted)
    with suppress(SystemExit), outputs.orderly_end(), outputs.temporary("x-") as made:
        assert when == "rmtree"
        (made / "table").write_bytes(b"PAR1")
    assert [len(each) for each in came] == [1 if when == "mkdtemp" else 0]
    assert not list(folder.iterdir())
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
