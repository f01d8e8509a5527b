"""Bundles: all that reads traces reads them, names included; and what anybody may have put into one."""

import os
import subprocess
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.traces.captures import capture
from tests.xentool.cli.inprocess import ran
from tests.xentool.tools.recorded import INFO
from tests.xentool.tools.tracing.bundles import SAID, changed, made, of_members
from tests.xentool.tools.tracing.pretended import Pretended
from traces.choice.where import Kinds
from xentool.errors import PeerError, XentoolError
from xentool.tools.tracing import bundle, bundled, reports, sidecar

TRACE = capture("xen-4.17-pv1")
MOST = 1 << 16


def read(path: Path) -> bytes:
    with reports.opened(path) as source:
        return source.read(len(TRACE) + MOST)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return made(tmp_path / "web.zip", TRACE)


def test_what_was_put_in_comes_out(whole: Path) -> None:
    assert read(whole) == TRACE
    assert bundle.sidecar(whole, MOST) == SAID[bundle.SIDECAR]
    with zipfile.ZipFile(whole) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["trace.xentrace", "trace.xentrace.meta.json", "xl-info.txt"]
    assert whole.stat().st_size < len(TRACE) / 2


@pytest.mark.parametrize(
    "words",
    [
        ["report", "FILE", "--json"],
        ["report", "FILE", "--from", "0.1", "--slowest", "2"],
        ["dump", "FILE", "--domain", "web", "--count"],
        ["export", "FILE", "--format", "folded", "-o", "-"],
        ["diff", "FILE", "FILE"],
        ["sql", "FILE", "select name, count(*) from domains group by 1 order by 1"],
    ],
    ids=lambda words: words[0],
)
def test_each_command_says_of_it_what_it_says_of_the_trace_beside_its_sidecar(
    whole: Path, tmp_path: Path, words: list[str]
) -> None:
    plain = tmp_path / "web.xentrace"
    plain.write_bytes(TRACE)
    sidecar.path_of(plain).write_bytes(SAID[bundle.SIDECAR])
    of_bundle, of_plain = (ran(*(str(path) if word == "FILE" else word for word in words)) for path in (whole, plain))
    assert of_bundle.stdout.replace("web.zip", "web.xentrace") == of_plain.stdout
    assert (of_bundle.returncode, of_bundle.stderr) == (0, of_plain.stderr)
    # What a name chooses is known by the sidecar alone.
    assert "web" in " ".join((*words, of_plain.stdout))
    assert of_plain.stdout


def test_an_export_is_called_as_the_bundle(whole: Path) -> None:
    ran("export", str(whole), "--format", "folded")
    assert "\nweb (d1);v0;running " in whole.with_name("web.folded").read_text()


def test_a_sidecar_beside_it_says_more_than_the_one_in_it(whole: Path) -> None:
    assert (sidecar.read(whole) or pytest.fail("none")).domains[1].name == "web"
    sidecar.path_of(whole).write_bytes(SAID[bundle.SIDECAR].replace(b'"web"', b'"other"'))
    assert (sidecar.read(whole) or pytest.fail("none")).domains[1].name == "other"


def test_one_without_names_is_read_without(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", TRACE, {})
    assert sidecar.read(path) is None
    assert read(path) == TRACE


def test_a_pipe_is_not_opened_to_look_for_names(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert sidecar.read(tmp_path / "pipe") is None


def refused(path: Path, why: str) -> None:
    with pytest.raises(PeerError, match=why):
        read(path)
    with pytest.raises(PeerError, match=why):
        sidecar.read(path)


def test_one_that_was_cut(whole: Path) -> None:
    data = whole.read_bytes()
    for size in (len(data) - 1, len(data) // 2, 60):
        whole.write_bytes(data[:size])
        refused(whole, "was cut, or changed: its end is missing")


def test_a_directory_beyond_measure_is_not_read(tmp_path: Path) -> None:
    many = [("trace.xentrace", TRACE), *((f"{number}", b"") for number in range(16))]
    refused(of_members(tmp_path / "many.zip", *many), "at most 16 members")
    long = of_members(tmp_path / "long.zip", ("trace.xentrace", TRACE), ("x" * (1 << 14), b""))
    refused(long, "at most 16 members")
    refused(changed(made(tmp_path / "entries.zip", TRACE), 10, "<H", 60_000), "at most 16 members")
    refused(changed(made(tmp_path / "bytes.zip", TRACE), 12, "<L", 1 << 31), "at most 16 members")
    refused(changed(made(tmp_path / "comment.zip", TRACE), 20, "<H", 7), "its end is missing")


def test_an_end_of_64_bits_is_measured_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As where more than 4 GiB stand before the directory.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    path = made(tmp_path / "a.zip", TRACE)
    data = path.read_bytes()
    end = len(data) - 22 - 20 - 56
    assert data[end : end + 4] == b"PK\x06\x06"
    assert read(path) == TRACE
    changed(path, -20 - 56 + 40, "<Q", 1 << 40)
    refused(path, "at most 16 members")
    path.write_bytes(data[:end] + b"\0" * 56 + data[end + 56 :])
    refused(path, "its end is not where it says")


def test_a_directory_that_is_nonsense(whole: Path) -> None:
    changed(whole, 16, "<L", 0xFFFF_FFF0)
    refused(whole, r"no bundle that can be read: trace\.xentrace.* is not where it says")


def test_two_traces_are_none(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        path = of_members(tmp_path / "a.zip", ("trace.xentrace", TRACE), ("trace.xentrace", b"x"))
    with pytest.raises(PeerError, match=r"it has 2 members called trace\.xentrace, not one"):
        read(path)


def test_another_way_to_pack_is_refused(tmp_path: Path) -> None:
    path = of_members(tmp_path / "a.zip", ("trace.xentrace", TRACE), packing=zipfile.ZIP_LZMA)
    with pytest.raises(PeerError, match="is encrypted, or packed in another way"):
        read(path)


def test_another_zip_archive_is_none(tmp_path: Path) -> None:
    path = of_members(tmp_path / "a.zip", ("readme", b"x"), ("trace.xentrace", TRACE))
    with pytest.raises(PeerError, match="is a zip archive: unpack it"):
        read(path)


def test_names_that_unpack_to_more_than_any_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", TRACE, {bundle.SIDECAR: b" " * (5 << 20)})
    assert path.stat().st_size < len(TRACE)
    with pytest.raises(PeerError, match=r"^trace\.xentrace\.meta\.json in .*a\.zip has more than 4 MiB; no host says"):
        sidecar.read(path)


def test_names_that_are_nonsense_name_the_bundle(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", TRACE, {bundle.SIDECAR: b"[]"})
    with pytest.raises(PeerError, match=r"^trace\.xentrace\.meta\.json in .*a\.zip is no xentool\.capture/1 document"):
        sidecar.read(path)


def test_a_trace_that_unpacks_to_more_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "a.zip", bytes(8 << 20))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4 << 20))
    with pytest.raises(XentoolError, match="takes more than half of what is free"):
        read(path)


def test_sizes_that_it_tells_are_not_believed(tmp_path: Path) -> None:
    # The directory's size of the trace, unpacked: less than comes, and more.
    for told, wanted in ((100, TRACE[:100]), (len(TRACE) + 1000, TRACE)):
        path = made(tmp_path / f"{told}.zip", TRACE)
        data = bytearray(path.read_bytes())
        entry = data.index(b"PK\x01\x02")
        data[entry + 24 : entry + 28] = told.to_bytes(4, "little")
        path.write_bytes(data)
        came = read(path)
        assert wanted.startswith(came)
        assert len(came) <= len(TRACE)


def test_what_comes_before_damage_is_read_and_the_damage_told(whole: Path) -> None:
    data = bytearray(whole.read_bytes())
    at = len(data) // 2
    data[at : at + 64] = bytes(64)
    whole.write_bytes(data)
    with reports.opened(whole) as source:
        assert TRACE.startswith(came := source.read(len(TRACE) + 1)[: 1 << 12])
        assert came or source.damage  # type: ignore[attr-defined] # of what was unpacked
        assert source.damage.code == "compressed_data_corrupt"  # type: ignore[attr-defined] # as above


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """Give a dom0 that records four bytes, and whose xl knows all but the console."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "info").write_text(INFO)
    xl = tmp_path / "bin/xl"
    xl.write_text(
        f'#!/bin/sh\ncase "$1 $2" in\n"list --long") echo "[]";;\n'
        'list*) echo "Name  ID  Mem VCPUs State Time(s)"; echo "web 1 256 1 -b---- 12.3";;\n'
        f"info*) cat {tmp_path}/info;;\nvcpu-list*) echo vcpus of web;;\n"
        'dmesg*) echo "xl: no right" >&2; exit 3;;\nesac\n'
    )
    xl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Pretended("echo xentool: started 32 >&2; printf abcd; echo xentool: ended stop 0 1 >&2")


def recorded(host: Pretended, path: Path) -> None:
    bundled.record_bundle(
        host, path, Kinds(), domain=None, seconds=None, buffer_pages=32, progress=lambda _elapsed, _size: None
    )


def test_a_recording_has_what_the_host_says(host: Pretended, tmp_path: Path) -> None:
    path = tmp_path / "out/host.zip"
    path.parent.mkdir()
    recorded(host, path)
    assert [one.name for one in path.parent.iterdir()] == ["host.zip"]
    with zipfile.ZipFile(path) as archive:
        said = {name: archive.read(name).decode() for name in archive.namelist()}
    assert list(said)[:2] == ["trace.xentrace", "trace.xentrace.meta.json"]
    assert said["trace.xentrace"] == "abcd"
    assert said["xl-info.txt"] == INFO
    assert said["xl-vcpu-list.txt"] == "vcpus of web\n"
    assert said["console-ring.txt"] == "xl dmesg ended with 3\nxl: no right\n"
    kernel = subprocess.run(["uname", "-srvm"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert kernel in said["versions.txt"]
    found = sidecar.read(path)
    assert found is not None
    assert (found.host, found.domains[1].name) == ("xen1", "web")


def test_what_came_before_a_failure_is_kept(host: Pretended, tmp_path: Path) -> None:
    host.script = "echo xentool: started 32 >&2; printf abcd; echo xentool: ended recording 137 1 >&2"
    path = tmp_path / "host.zip"
    with pytest.raises(XentoolError, match="killed by SIGKILL"):
        recorded(host, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("trace.xentrace") == b"abcd"


def test_a_host_that_records_nothing_leaves_an_older_bundle(host: Pretended, tmp_path: Path) -> None:
    host.script = 'echo "xentool: refused foreign 17 xentrace" >&2'
    path = tmp_path / "host.zip"
    path.write_text("older")
    with pytest.raises(XentoolError):
        recorded(host, path)
    assert path.read_text() == "older"
