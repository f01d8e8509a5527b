"""`xentool fleet convert` as a user runs it: what is there then, what a rerun does, and what an early end leaves."""

import io
import json
import lzma
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.docs.shapes import wrong
from tests.traces.captures import FOLDER
from tests.xentool.cli.inprocess import Done, ran
from tests.xentool.tools.fleet.made import trace, written
from tests.xentool.tools.fleet.stalls import stalling
from xentool import extras
from xentool.documents.fleet import FleetConversion
from xentool.tools.fleet.engine import Engine

Run = Callable[..., Done]


@pytest.fixture
def convert(shared: Engine) -> Run:
    """Run the command by workers that all tests share."""

    def run(*words: str) -> Done:
        return ran("fleet", "convert", *words, "--scheduler", shared.client.scheduler.address)

    return run


def files(dataset: Path) -> dict[str, int]:
    """Give the files that are there, and their changes' times."""
    return {str(one.relative_to(dataset)): one.stat().st_mtime_ns for one in dataset.rglob("*") if one.is_file()}


def read(dataset: Path, path: str) -> pa.Table:
    return pq.read_table(io.BytesIO((dataset / path).read_bytes()))


def test_a_rerun_does_what_is_new_or_changed(convert: Run, tmp_path: Path) -> None:
    folder, to = tmp_path / "captures", tmp_path / "dataset"
    # Two of one name.
    written(folder / "a/x.xentrace", trace(1), "xen/1\n", 1)
    written(folder / "b/x.xentrace", trace(2), "xen/1\n", 1)
    (folder / "linux.dat").write_bytes(lzma.decompress((FOLDER / "kvm/linux-6.1-virtio.dat.xz").read_bytes()))
    (folder / "notes.txt").write_text("This is what was done that day.\n" * 9)
    done = convert(str(folder), "--to", str(to), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(wrong(document, FleetConversion)) == []
    assert (document["kept"], document["failed"], document["others"]) == (0, [], 1)
    first = files(to)
    assert {one["path"] for one in document["captures"]} == first.keys()
    assert document["totals"]["captures"] == len(first) == 3
    for one in document["captures"]:
        assert one["bytes"] == (to / one["path"]).stat().st_size
        assert read(to, one["path"]).num_rows == one["records"]
    assert document["totals"]["records"] == sum(one["records"] for one in document["captures"])
    paths = {one["file"]: one["path"] for one in document["captures"]}
    a, b = paths[f"{folder}/a/x.xentrace"], paths[f"{folder}/b/x.xentrace"]
    assert a.startswith("host=xen%2F1%5Cn/day=2026-11-01/capture=x.xentrace~")
    assert Path(a).parent.parent == Path(b).parent.parent
    assert set(read(to, a)["domain"].to_pylist()) == {"web", None}
    linux = paths[f"{folder}/linux.dat"]
    assert linux.startswith("host=unknown/day=unknown/capture=linux.dat~")
    assert read(to, linux).schema.equals(read(to, a).schema)

    # What is no capture must be looked at again.
    (folder / "notes.txt").unlink()
    again = json.loads(convert(str(folder), "--to", str(to), "--json").stdout)
    assert (again["kept"], again["captures"], again["workers"]) == (3, [], 0)
    assert files(to) == first

    written(folder / "a/x.xentrace", trace(3, storm=True), "xen9", 2)
    written(folder / "new.xentrace", trace(4), "xen1", 2)
    third = convert(str(folder), "--to", str(to))
    assert third.stdout.startswith(f"2 captures converted into {to}: ")
    assert "2 captures there already, and the same since." in third.stdout
    now = files(to)
    kept = first.keys() - {a}
    assert {path: now.pop(path) for path in kept} == {path: first[path] for path in kept}
    assert sorted(path.split("/capture=")[0] for path in now) == [
        "host=xen1/day=2026-11-02",
        "host=xen9/day=2026-11-02",
    ]


def test_of_what_is_damaged_the_rest_is_converted_and_told(convert: Run, tmp_path: Path) -> None:
    folder, to = tmp_path / "captures", tmp_path / "dataset"
    cut = written(folder / "cut.xentrace", trace(2)[:-3], "xen2")
    (folder / "noise.xentrace").write_bytes(bytes(range(256)) * 8)
    done = convert(str(folder), str(tmp_path / "gone"), "--to", str(to), "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    failed = {Path(one["url"]).name: one["error"] for one in document["failed"]}
    assert failed.keys() == {"cut.xentrace", "gone", "noise.xentrace"}
    assert failed["cut.xentrace"].startswith("damaged: truncated at byte ")
    assert failed["cut.xentrace"].endswith("; what could be decoded is there")
    (path,) = files(to)
    assert path.endswith("-damaged.parquet")
    assert read(to, path).num_rows > 300

    # That is said again, though nothing is done.
    again = convert(str(cut), "--to", str(to), "--json")
    assert again.returncode == 1
    document = json.loads(again.stdout)
    assert (document["kept"], document["captures"]) == (1, [])
    assert document["failed"] == [{"url": str(cut), "error": "damaged, as before; what could be decoded is there"}]


def test_ctrl_c_leaves_what_is_whole_and_another_run_goes_on(convert: Run, tmp_path: Path) -> None:
    one, to = written(tmp_path / "one.xentrace", trace(1), "xen1"), tmp_path / "dataset"
    with stalling() as (url, asked):
        words = ["fleet", "convert", str(one), url, "--to", str(to), "--workers", "1", "--timeout", "86400", "--json"]
        with subprocess.Popen(
            [sys.executable, "-m", "xentool", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            threading.Thread(target=ended, args=(process, asked), daemon=True).start()
            asked.wait()
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate()
    assert process.returncode == 130
    document = json.loads(out)
    assert document["interrupted"]
    assert [Path(each["file"]).name for each in document["captures"]] == ["one.xentrace"]
    assert sorted(path.name for path in tmp_path.iterdir() if "xentool-parts" in path.name) == []
    (path,) = before = files(to)
    written(tmp_path / "two.xentrace", trace(2), "xen1")
    again = json.loads(convert(str(tmp_path / "*.xentrace"), "--to", str(to), "--json").stdout)
    assert (again["kept"], again["totals"]["captures"]) == (1, 1)
    assert files(to)[path] == before[path]


def ended(process: subprocess.Popen[str], told: threading.Event) -> None:
    """Say when a process has ended by itself, whom nobody would ask else."""
    process.wait()
    told.set()


def test_a_run_that_was_killed_goes_on(convert: Run, tmp_path: Path) -> None:
    folder, to = tmp_path / "captures", tmp_path / "dataset"
    for number in range(3):
        written(folder / f"{number}.xentrace", trace(number), "xen1")
    assert convert(str(folder), "--to", str(to)).returncode == 0
    one, two, three = sorted(to.rglob("*.parquet"))
    # As a kill leaves it: one not begun, a changed one's new file and its old one, parts beside.
    one.unlink()
    two.with_name("0123456789abcdef.parquet").write_bytes(two.read_bytes())
    aside = tmp_path / ".dataset.xentool-parts"
    aside.mkdir()
    (aside / "half").write_bytes(b"PAR1")
    again = json.loads(convert(str(folder), "--to", str(to), "--json").stdout)
    assert (again["kept"], again["totals"]["captures"], again["failed"]) == (2, 1, [])
    assert sorted(to.rglob("*.parquet")) == [one, two, three]
    assert not aside.exists()


def test_captures_below_the_dataset_are_none_of_it(convert: Run, tmp_path: Path) -> None:
    written(tmp_path / "one.xentrace", trace(1), "xen1")
    for _ in range(2):
        document = json.loads(convert(str(tmp_path), "--to", str(tmp_path / "dataset"), "--json").stdout)
        assert (document["others"], document["failed"]) == (0, [])
    assert document["kept"] == 1


def test_what_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    one = str(written(tmp_path / "one.xentrace", trace(1), "xen1"))
    for to, why in (
        (one, f"cannot write to {one}"),
        (str(tmp_path), "is no dataset: it has"),
        ("http://x/y", "a dataset is written to a folder or to s3://BUCKET/NAME"),
    ):
        done = ran("fleet", "convert", one, "--to", to)
        assert (done.returncode, done.stdout) == (1, "")
        assert why in done.stderr


@pytest.mark.parametrize("module", ["pyarrow", "s3fs"])
def test_what_is_missing_is_told_with_how_to_get_it(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "is_there", lambda name: name != module)
    done = ran("fleet", "convert", str(tmp_path), "--to", "s3://bucket/name")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"needs {module}: {extras.command(module)}\n" in done.stderr
