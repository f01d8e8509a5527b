"""`xentool report --html` as a user runs it: where the page goes, and what stays when it can't be made."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.traces.captures import capture
from tests.xentool.cli.running import run
from xentool import extras


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "domU.xentrace"
    path.write_bytes(capture("xen-4.17-pvh"))
    return path


def test_a_page_in_a_file_and_nothing_else(file: Path) -> None:
    out = file.with_name("domU.html")
    out.write_text("old")
    out.chmod(0o644)
    done = run("report", str(file), "--html", str(out))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert "<h1>domU.xentrace</h1>" in out.read_text()
    assert out.stat().st_size < 400_000
    assert sorted(path.name for path in file.parent.iterdir()) == ["domU.html", "domU.xentrace"]


def test_a_pipe_in_and_out_gives_the_same(file: Path) -> None:
    piped = run("report", "-", "--html", "-", stdin=file.read_bytes())
    named = run("report", str(file), "--html", "-")
    assert (piped.returncode, piped.stderr) == (0, "")
    assert piped.stdout.replace("stdin", "domU.xentrace") == named.stdout


def test_the_sidecar_gives_names_and_the_version(file: Path) -> None:
    domains = [{"domid": 3, "name": "web", "type": "pvh"}]
    meta = {"schema": "xentool.capture/1", "host": "x", "xen_version": "4.17.5", "hz": 2.6e9, "mask": 1}
    file.with_name("domU.xentrace.meta.json").write_text(json.dumps(meta | {"domains": domains}))
    page = run("report", str(file), "--html", "-").stdout
    assert "<dt>Xen</dt><dd>4.17.5</dd>" in page
    assert "<h2>web <small>domid 3, pvh, 1 vCPU</small></h2>" in page
    assert json.loads(run("report", str(file), "--json").stdout)["capture"]["xen_version"] == "4.17.5"
    only = run("report", str(file), "--html", "-", "--domain", "web").stdout
    assert "<h2>web " in only
    assert "<h2>Domain 0 " not in only
    assert "pCPU 0" not in only


@pytest.mark.parametrize(
    "wrong", [{"hz": 0}, {"hz": float("nan")}, {"domains": [{"domid": "x", "name": 1, "type": 2}]}]
)
def test_a_sidecar_that_makes_no_sense_is_told_of(file: Path, wrong: dict[str, object]) -> None:
    meta = {"schema": "xentool.capture/1", "host": "x", "xen_version": "4.17.5", "hz": 2.6e9, "mask": 1, "domains": []}
    file.with_name("domU.xentrace.meta.json").write_text(json.dumps(meta | wrong))
    done = run("report", str(file), "--html", "-")
    assert (done.returncode, done.stdout) == (4, "")
    assert "domU.xentrace.meta.json" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_damaged_trace_has_its_page_and_ends_with_4(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[5000:5400] = b"\xff" * 400
    file.write_bytes(data[:-3])
    done = run("report", str(file), "--html", "-")
    assert done.returncode == 4
    assert "is damaged" in done.stderr
    assert '<section id="damage">' in done.stdout
    assert "<dt>Not decoded</dt>" in done.stdout
    assert done.stdout.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--html", "x.html", "--json"], 2, "give one of them"),
        (["--html", "nowhere/x.html"], 1, "nowhere"),
        (["--html", "x.html", "--domain", "web"], 1, "the trace has no domain 'web'"),
        (["--html", "domU.xentrace"], 1, "is the trace itself"),
    ],
)
def test_what_can_not_be_written(
    file: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, told: str
) -> None:
    monkeypatch.chdir(file.parent)
    done = run("report", "domU.xentrace", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in file.parent.iterdir()] == ["domU.xentrace"]
    assert file.read_bytes() == capture("xen-4.17-pvh")


def test_without_its_library_it_says_what_to_install(file: Path) -> None:
    code = "import sys; sys.modules['jinja2'] = None; from xentool.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "report", str(file), "--html", "-"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"xentool: this format needs jinja2: {extras.command('jinja2')}\n"
