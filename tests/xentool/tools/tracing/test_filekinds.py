"""What people give in a trace's stead is named, with what to do; what may be a trace, however damaged, is not."""

import io
import lzma
import random
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from tests.traces.captures import NAMES, STRANGERS, capture, stranger
from xentool.cli.root import group
from xentool.errors import PeerError
from xentool.tools.tracing import exports, pages
from xentool.tools.tracing.filekinds import KINDS, check, kind_of

TRACE = stranger("intel-plain")


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("a.xentrace")
        entry.size = len(TRACE)
        tar.addfile(entry, io.BytesIO(TRACE))
    return made.getvalue()


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("a.xentrace", TRACE)
    return made.getvalue()


def feather() -> bytes:
    made = io.BytesIO()
    table = pa.table({"a": [1]})
    with pa.ipc.new_file(made, table.schema) as writer:
        writer.write_table(table)
    return made.getvalue()


def cpio(form: str) -> bytes:
    """Pack the trace as cpio does, in one of its formats."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.xentrace").write_bytes(TRACE)
        command = ["cpio", "--create", "--quiet", f"--format={form}"]
        return subprocess.run(command, cwd=folder, input=b"a.xentrace\n", stdout=subprocess.PIPE, check=True).stdout


FILES = {
    "tar": (archive(), "a tar archive: unpack it, and give the trace in it"),
    "zip": (zipped(), "a zip archive: unpack it"),
    **{f"cpio-{form}": (cpio(form), "a cpio archive: unpack it") for form in ("bin", "odc", "newc", "crc")},
    "rar4": (b"Rar!\x1a\x07\0\xcf\x90\x73" + bytes(40), "a rar archive: unpack it"),
    "rar5": (b"Rar!\x1a\x07\x01\0\x33\x92" + bytes(40), "a rar archive: unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(40), "a 7z archive: unpack it"),
    "lzip": (b"LZIP\x01\x0c" + bytes(40), "a file compressed by lzip: unpack it: lzip -dc FILE"),
    "lzma": (lzma.compress(TRACE, lzma.FORMAT_ALONE), "a file compressed by lzma: unpack it: xz -dc FILE"),
    "lzma-largest": (
        lzma.compress(TRACE, lzma.FORMAT_ALONE, preset=9 | lzma.PRESET_EXTREME),
        "a file compressed by lzma: unpack it: xz -dc FILE",
    ),
    "lz4": (b"\x04\x22\x4d\x18\x64\x40\xa7" + bytes(40), "a file compressed by lz4: unpack it: lz4 -dc FILE"),
    "lz4-legacy": (b"\x02\x21\x4c\x18" + bytes(40), "a file compressed by lz4: unpack it: lz4 -dc FILE"),
    "feather": (feather(), "an Arrow file: "),
    "pcapng": (b"\n\r\r\n" + bytes(40), "a capture of packets (pcapng): tcpdump"),
    "pcap": (b"\xd4\xc3\xb2\xa1" + bytes(40), "a capture of packets (pcap): tcpdump"),
    "elf": (Path("/bin/sh").read_bytes()[:1000], "an ELF file: "),
    "sidecar": (
        b'{\n  "schema": "xentool.capture/1",\n',
        "what the host said about a capture: give",
    ),
    "report": (b'{"schema": "xentool.report/1", "capture"', "a JSON document of xentool's: give the capture"),
    "xenalyze": (
        b"]  0.000000000 ------ x d0v0 \xc2\xb5 runstate" * 20,
        "text: xentrace writes bytes; of what",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_named_with_what_to_do(name: str, tmp_path: Path) -> None:
    data, told = FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    for command in (["report", str(path)], ["export", "--format", "csv", str(path)], ["diff", str(path), str(path)]):
        with pytest.raises(PeerError) as error:
            group.main(command, standalone_mode=False)
        assert str(error.value).startswith(f"{path} is {told}")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("perfetto", "a Perfetto trace: ui.perfetto.dev shows it"),
        ("parquet", "a Parquet file: xentool sql asks what xentool export wrote"),
        ("jsonl", "an export as JSON lines: "),
        ("csv", "an export as CSV: "),
        ("folded", "text: "),
        ("html", "a page for a browser: "),
    ],
)
def test_our_own_exports_are_known(name: str, told: str, tmp_path: Path) -> None:
    trace, target = tmp_path / "x", tmp_path / "y"
    trace.write_bytes(capture(NAMES[2])[:200_000])
    if name == "html":
        pages.write(trace, target, progress=lambda _done, _total: None)
    else:
        exports.export(trace, exports.FORMATS[name], target, progress=lambda _done, _total: None)
    with pytest.raises(PeerError) as error:
        check(target.read_bytes()[:512], "y")
    assert str(error.value).startswith(f"y is {told}")


def test_every_kind_can_be_met() -> None:
    for kind in KINDS:
        assert kind_of(bytes(kind.offset) + kind.magic + bytes(100)) == (kind.what, kind.advice)


def test_what_may_be_a_trace_is_not_taken_for_anything_else() -> None:
    chance = random.Random(3)  # noqa: S311 - to be repeated, not kept secret
    for data in [*map(capture, NAMES), *map(stranger, STRANGERS)]:
        assert kind_of(data[:512]) is None
        # One of which the beginning is lost.
        for at in (chance.randrange(len(data)) for _ in range(500)):
            assert kind_of(data[at : at + 512]) is None, at
    assert kind_of(b"") is None
    assert kind_of(bytes(512)) is None
