"""Compressed captures: the same answers as of what they hold, in bounded memory, and what comes before damage."""

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.traces.captures import NAMES, capture, stranger
from traces.exporters import document
from xentool import extras
from xentool.cli.root import group
from xentool.errors import PeerError, XentoolError
from xentool.tools.tracing import exports, packed, pipes, reports, sidecar
from xentool.tools.tracing.packed import PACKINGS, Unpacked
from xentool.tools.tracing.pipes import Piped
from xentool.tools.tracing.reports import AS_IT_IS

XENTOOL = [sys.executable, "-m", "xentool"]
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda data: gzip.compress(data, 1),
    ".xz": lambda data: lzma.compress(data, preset=0),
    ".bz2": lambda data: bz2.compress(data, 1),
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
assert list(PACK) == [packing.suffix for packing in PACKINGS]


@pytest.fixture(params=PACK)
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def report(path: Path) -> dict[str, Any]:
    with reports.opened(path) as source:
        return document.document(reports.report(source, str(path)))


def unpacked(data: bytes) -> Unpacked:
    source = packed.file(io.BufferedReader(io.BytesIO(data)), "x")
    assert isinstance(source, Unpacked)
    return source


def everything(source: Unpacked) -> bytes:
    buffer = bytearray(100_003)
    parts = []
    while size := source.readinto(memoryview(buffer)):
        parts.append(bytes(buffer[:size]))
    return b"".join(parts)


def test_a_report_is_the_same(suffix: str, tmp_path: Path) -> None:
    data = capture(NAMES[0])[:400_000]
    plain, other = tmp_path / "plain", tmp_path / "no-suffix-tells"
    plain.write_bytes(data)
    other.write_bytes(PACK[suffix](data))
    expected = report(plain)
    assert expected["capture"]["bytes"] == len(data)
    assert report(other) == expected


@pytest.mark.parametrize("command", ["report --json FILE", "report --json --from 0.01 --slowest 2 FILE", "dump FILE"])
def test_in_a_pipe_and_a_redirection(command: str, tmp_path: Path) -> None:
    data = stranger("intel-plain")
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.write_bytes(data)
    other.write_bytes(PACK[".xz"](data))
    words = command.split()
    expected = subprocess.check_output([*XENTOOL, *words[:-1], str(plain)])
    assert len(expected) > 1000
    assert subprocess.check_output([*XENTOOL, *words[:-1], "-"], input=other.read_bytes()) == expected
    with other.open("rb") as file:
        assert subprocess.check_output([*XENTOOL, *words[:-1], "-"], stdin=file) == expected


def test_records_are_shown_while_they_come_out() -> None:
    data = capture(NAMES[1])
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    command = [*XENTOOL, "dump", "--hz", "2.6e9", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(packer.compress(data[:400_000]) + packer.flush(zlib.Z_SYNC_FLUSH))
        process.stdin.flush()
        # The pipe is still open, and the stream not over.
        assert process.stdout.readline().split()[1] == b"p0"
        process.stdin.write(packer.flush())
        rest = process.communicate()[0]
    assert process.returncode == 4  # cut in the middle of a record
    assert rest.count(b"\n") > 15_000


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_exports_read_it_twice(kind: str, suffix: str, tmp_path: Path) -> None:
    data = stranger("intel-plain")
    plain, other = tmp_path / "a.xentrace", tmp_path / f"b.xentrace{suffix}"
    plain.write_bytes(data)
    other.write_bytes(PACK[suffix](data))
    steps: list[tuple[int, int]] = []
    for path in (plain, other):
        target = exports.default_output(path, exports.FORMATS[kind])
        assert target.name == f"{path.name[0]}.{kind}"
        exports.export(path, exports.FORMATS[kind], target, progress=lambda done, total: steps.append((done, total)))
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    # Of the packed bytes: how many come out is not known before.
    size = other.stat().st_size
    assert steps[-1] == (2 * size, 2 * size)


@pytest.mark.parametrize("name", ["b.xentrace.meta.json", "b.xentrace.xz.meta.json"])
def test_its_sidecar_may_keep_its_name(name: str, tmp_path: Path) -> None:
    meta = {"schema": "xentool.capture/1", "host": "x", "xen_version": "4.17", "hz": 2e9, "mask": 1}
    (tmp_path / name).write_text(json.dumps(meta | {"domains": []}))
    found = sidecar.read(tmp_path / "b.xentrace.xz")
    assert found
    assert found.hz == 2e9
    assert sidecar.read(tmp_path / "c.xentrace.xz") is None


def test_what_came_before_a_cut(suffix: str, tmp_path: Path) -> None:
    data = capture(NAMES[0])[:600_000]
    whole = PACK[suffix](data)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    source = unpacked(path.read_bytes())
    came = everything(source)
    assert data.startswith(came)
    assert len(came) > 100_000
    damage = source.damage
    assert damage
    assert (damage.code, damage.first_offset) == ("compressed_data_cut", len(came))
    told = report(path)["capture"]
    assert told["bytes"] == len(came)
    assert {"code": "compressed_data_cut", "severity": "data_loss", "count": 1, "first_offset": len(came)} in told[
        "diagnostics"
    ]
    for command in (["report", str(path)], ["export", "--format", "csv", "-o", str(tmp_path / "out"), str(path)]):
        with pytest.raises(PeerError, match=f"x{suffix} is damaged: compressed data cut at byte {len(came)};"):
            group.main(command, standalone_mode=False)
    assert (tmp_path / "out").stat().st_size > len(came)


def test_what_came_before_corruption(suffix: str) -> None:
    data = capture(NAMES[0])[:600_000]
    whole = bytearray(PACK[suffix](data))
    whole[len(whole) * 2 // 3] ^= 0xFF
    source = unpacked(bytes(whole))
    came = everything(source)
    assert source.damage
    assert source.damage.code == "compressed_data_corrupt"
    # Some ways to pack notice it at the end of a block only, and what comes out until then is not what went in.
    same = next((i for i in range(min(len(came), len(data))) if came[i] != data[i]), len(came))
    assert same > 200_000


def test_several_streams_and_what_lies_behind(suffix: str) -> None:
    pack = PACK[suffix]
    source = unpacked(pack(b"one, ") + bytes(8) + pack(b"") + pack(b"two" * 1000) + bytes(70_000))
    assert (everything(source), source.damage) == (b"one, " + b"two" * 1000, None)
    source = unpacked(pack(b"one") + b"no stream")
    assert everything(source) == b"one"
    assert source.damage
    assert source.damage.code == "compressed_data_corrupt"
    source = unpacked(pack(b"one") + pack(b"two")[:3])
    assert everything(source) == b"one"
    assert source.damage
    assert source.damage.code == "compressed_data_cut"


def test_streams_without_end_that_hold_nothing(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_STREAMS", 50)
    pack = PACK[suffix]
    source = unpacked(pack(b"a") + pack(b"") * 100)
    assert everything(source) == b"a"
    assert source.damage
    assert source.damage.code == "too_many_streams"
    # Those that hold something may be more.
    source = unpacked(pack(bytes(1000)) * 100)
    assert (everything(source), source.damage) == (bytes(100_000), None)


def test_what_unpacks_to_much_takes_little_memory(suffix: str) -> None:
    size = 48 << 20
    source = unpacked(PACK[suffix](bytes(size)))
    buffer = bytearray(1 << 20)
    tracemalloc.start()
    try:
        came = 0
        while read := source.readinto(memoryview(buffer)):
            came += read
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert came == size
    assert peak < 36 << 20


@pytest.mark.parametrize("suffix", [".xz", ".zst"])
def test_what_wants_too_much_memory_is_refused(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_MEMORY", 1 << 20)
    if suffix == ".xz":
        data = lzma.compress(b"x" * 100, preset=6)
    else:
        long = zstandard.ZstdCompressionParameters(window_log=24)
        packer = zstandard.ZstdCompressor(compression_params=long).compressobj()
        data = packer.compress(b"x" * 100) + packer.flush()
    with pytest.raises(XentoolError, match=r"x takes more than 1 MiB to unpack: unpack it first, by (xz|zstd) -dc$"):
        unpacked(data)


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACK[".zst"](b"x"))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(XentoolError) as told:
        report(path)
    assert str(told.value) == (
        f"{path} is compressed, and to read it takes zstandard: "
        f"{extras.command('zstandard')}, or zstd -dc {path} | xentool ... -"
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (gzip.compress(b""), "is empty"),
        (gzip.compress(bytes(1000)), "holds no xentrace record"),
        (
            gzip.compress(b"x" * 1000)[:11],
            "holds no xentrace record: its compressed data is cut at byte 0 ",
        ),
        (gzip.compress(PACK[".xz"](b"x")), "is compressed twice: unpack it once"),
        (gzip.compress(b"PAR1" + bytes(100)), "is a Parquet file: "),
        (b"PAR1" + bytes(100), "is a Parquet file: "),
        (b"\x1f", "holds no xentrace record"),
    ],
)
def test_what_holds_no_trace(data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(PeerError) as error:
        report(path)
    assert str(error.value).startswith(f"{path} {told}")
    with piped(data) as source, pytest.raises(PeerError) as error:
        pipes.follow(packed.pipe(source, "standard input"), source.end, AS_IT_IS, lambda _running, _chunk: None)
    assert str(error.value).startswith(f"standard input {told}")


@contextmanager
def piped(data: bytes) -> Iterator[Piped]:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source:
        # There is room for it.
        with os.fdopen(write, "wb") as into:
            into.write(data)
        yield Piped(source)


@pytest.mark.parametrize("pack", [bytes, *PACK.values()])
def test_a_pipe_gives_all_of_it(pack: Callable[[bytes], bytes]) -> None:
    data = capture(NAMES[0])[:60_000]
    for size in (1 << 20, 777):
        with piped(pack(data)) as source:
            given = packed.pipe(source, "x")
            buffer = memoryview(bytearray(size))
            came = bytes(buffer[: given.readinto(buffer)])
            assert len(came) == min(size, len(data))
            while more := given.read(size):
                came += more
            assert came == data
