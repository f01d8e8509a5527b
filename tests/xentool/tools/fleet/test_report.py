"""`xentool fleet report` as a user runs it: what it finds in a fleet, and what becomes of what cannot be read."""

import json
import lzma
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.shapes import wrong
from tests.traces.captures import FOLDER
from tests.xentool.cli.inprocess import Done, ran
from tests.xentool.tools.fleet.made import fleet, trace, written
from tests.xentool.tools.fleet.stalls import stalling
from xentool import extras
from xentool.documents.fleet import Fleet
from xentool.tools.fleet.engine import Engine

Run = Callable[..., Done]


@pytest.fixture
def report(shared: Engine) -> Run:
    """Run the command by workers that all tests share."""

    def run(*words: str) -> Done:
        return ran("fleet", "report", *words, "--scheduler", shared.client.scheduler.address)

    return run


def test_the_sick_are_found_and_no_others(report: Run, tmp_path: Path) -> None:
    folder = fleet(tmp_path / "fleet")
    done = report(str(folder), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(wrong(document, Fleet)) == []
    files = {Path(one["file"]).name: one for one in document["captures"]}
    assert len(files) == document["totals"]["captures"] == 16
    alone = json.loads(ran("report", str(folder / "xen1/05.xentrace"), "--json").stdout)
    assert files["05.xentrace"]["records"] == alone["capture"]["records"]
    assert document["totals"]["records"] == sum(one["records"] for one in document["captures"])
    assert document["totals"]["lost_records"] == files["14.xentrace"]["lost_records"] == 600
    whys = {Path(one["file"]).name: one["why"] for one in document["outliers"]}
    assert whys.keys() == {"05.xentrace", "09.xentrace", "14.xentrace"}
    waited = "web: runnable for 33.1% of the time, elsewhere 0.2%"
    assert waited in whys["05.xentrace"]
    storm = "web: event_channel_op 10,067 per s, elsewhere 0"
    assert whys["09.xentrace"].startswith(storm)
    share = 600 / (600 + files["14.xentrace"]["records"])
    assert whys["14.xentrace"] == f"{share:.1%} of its records were lost, elsewhere 0.0%"
    assert [(one["name"], one["captures"]) for one in document["groups"]] == [(f"xen{host}", 4) for host in range(4)]
    slowest = document["slowest"][0]
    assert (Path(slowest["file"]).name, slowest["domain"]) == ("05.xentrace", "web")
    assert slowest["seconds"] == pytest.approx(3.3e-3)
    assert document["seconds"].keys() == {"start", "work"}

    # Now all answers are known, whatever they are added up by; and are the same.
    by_day = json.loads(report(str(folder), "--by", "day", "--json").stdout)
    assert (by_day["kept"], by_day["workers"]) == (16, 0)
    # Seconds are added in the order in which answers come.
    assert by_day["totals"] == document["totals"] | {"seconds": pytest.approx(document["totals"]["seconds"])}
    assert [(one["name"], one["captures"]) for one in by_day["groups"]] == [("2026-11-01", 8), ("2026-11-02", 8)]
    text = report(str(folder), "--by", "domain").stdout
    assert text.startswith("16 captures, ")
    for name in ("05", "09", "14"):
        assert f"xen{int(name) % 4}/{name}.xentrace" in text
    assert waited in text
    page = tmp_path / "page.html"
    assert report(str(folder), "--html", str(page)).returncode == 0
    assert storm in page.read_text()


def test_what_fails_is_listed_and_a_rerun_reads_only_that(report: Run, tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    written(folder / "well.xentrace", trace(1), "xen1")
    written(folder / "cut.xentrace", trace(2)[:-3], "xen2")
    (folder / "linux.dat").write_bytes(lzma.decompress((FOLDER / "kvm/linux-6.1-virtio.dat.xz").read_bytes()))
    (folder / "noise.xentrace").write_bytes(bytes(range(256)) * 8)
    (folder / "notes.txt").write_text("This is what was done that day.\n" * 9)
    gone = tmp_path / "gone.xentrace"
    done = report(str(folder), str(gone), "--json")
    assert done.returncode == 1
    assert done.stderr.endswith("xentool: 3 captures failed, or damaged: they are listed above\n")
    document = json.loads(done.stdout)
    failed = {Path(one["url"]).name: one["error"] for one in document["failed"]}
    assert failed.keys() == {"cut.xentrace", "gone.xentrace", "noise.xentrace"}
    assert failed["cut.xentrace"].startswith("damaged: truncated at byte ")
    assert failed["gone.xentrace"] == "there is no such file"
    assert "holds no xentrace record" in failed["noise.xentrace"]
    assert document["others"] == 1
    sources = {Path(one["file"]).name: one["source"] for one in document["captures"]}
    assert sources == {"well.xentrace": "xentrace", "cut.xentrace": "xentrace", "linux.dat": "kvm"}

    written(folder / "noise.xentrace", trace(3), "xen3")
    again = json.loads(report(str(folder), "--json").stdout)
    assert (again["kept"], again["totals"]["captures"]) == (3, 4)
    assert [Path(one["url"]).name for one in again["failed"]] == ["cut.xentrace"]


def test_ctrl_c_tells_what_was_read_and_leaves_no_worker(tmp_path: Path) -> None:
    written(tmp_path / "well.xentrace", trace(1), "xen1")
    # It is the last, so that the other is read when somebody waits for it.
    with stalling() as (url, asked):
        files = [str(tmp_path / "well.xentrace"), url]
        words = ["fleet", "report", *files, "--workers", "1", "--timeout", "86400", "--json"]
        with subprocess.Popen(
            [sys.executable, "-m", "xentool", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            threading.Thread(target=ended, args=(process, asked), daemon=True).start()
            asked.wait()
            workers = [os.pidfd_open(pid) for pid in below(process.pid)]
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate()
    assert process.returncode == 130
    document = json.loads(out)
    assert document["interrupted"]
    assert [Path(one["file"]).name for one in document["captures"]] == ["well.xentrace"]
    assert workers
    for one in workers:
        # Becomes readable when the process ends.
        assert select.select([one], [], [])[0] == [one]
        os.close(one)


def test_nothing_is_left_of_who_is_killed_and_the_next_goes_on(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "fleet", tmp_path / "scratch"
    scratch.mkdir()
    # More than three tasks of small captures: when the last is handed out, the first one's answers are kept.
    for number in range(40):
        written(folder / f"{number:02}.xentrace", trace(number), "xen1")
    with stalling() as (url, asked):
        words = ["fleet", "report", str(folder), url, "--workers", "1", "--timeout", "86400", "--json"]
        with subprocess.Popen(
            [sys.executable, "-m", "xentool", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": str(scratch)},
        ) as process:
            threading.Thread(target=ended, args=(process, asked), daemon=True).start()
            asked.wait()
            assert list(scratch.iterdir()), "nothing was there to be left"
            processes = [os.pidfd_open(pid) for pid in below(process.pid)]
            process.kill()
    assert len(processes) >= 2
    for one in processes:
        # Becomes readable when the process ends.
        assert select.select([one], [], [])[0] == [one]
        os.close(one)
    assert list(scratch.iterdir()) == []
    document = json.loads(ran("fleet", "report", str(folder), "--workers", "1", "--json").stdout)
    assert document["totals"]["captures"] == 40
    assert document["kept"] >= 16


def ended(process: subprocess.Popen[str], told: threading.Event) -> None:
    """Say when a process has ended by itself, whom nobody would ask else."""
    process.wait()
    told.set()


def below(pid: int) -> list[int]:
    """Give the processes that a process has started, and those that these have."""
    children = [
        int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in (task / "children").read_text().split()
    ]
    return [*children, *(each for child in children for each in below(child))]


def test_without_dask_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "well.xentrace", trace(1), "xen1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = ran("fleet", "report", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"xentool: fleet needs distributed: {extras.command('distributed')}\n"
    assert "distributed>=" in done.stderr


@pytest.mark.parametrize(
    "words", [["--workers", "2", "--scheduler", "tcp://x:1"], ["--json", "--html", "x"], ["--by", "x"]]
)
def test_what_makes_no_sense_is_refused(words: list[str]) -> None:
    assert ran("fleet", "report", "nowhere", *words).returncode == 2
