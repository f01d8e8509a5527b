"""--vendor on every command that reads a trace; what a sidecar says; doubt on stderr, which is no damage."""

import json
from pathlib import Path

import pytest

from tests.traces.captures import stranger
from tests.traces.vendors import INTELS_ID, made
from tests.xentool.cli.running import run

ASK = "select reason, count(*) from exits group by 1 order by 1"


@pytest.fixture
def intel(tmp_path: Path) -> Path:
    path = tmp_path / "intel.xentrace"
    path.write_bytes(stranger("intel-plain"))
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("report", "{}"),
        ("report", "{}", "--json"),
        ("dump", "{}"),
        ("export", "{}", "--format", "csv", "-o", "-"),
        ("sql", "{}", ASK),
    ],
)
def test_the_user_overrides(intel: Path, words: tuple[str, ...]) -> None:
    told = run(*(word.format(intel) for word in words))
    other = run(*(word.format(intel) for word in words), "--vendor", "amd")
    assert (told.returncode, told.stderr, other.returncode, other.stderr) == (0, "", 0, "")
    assert ("IO_INSTRUCTION" in told.stdout, "CR14_WRITE" in told.stdout) == (True, False)
    assert ("IO_INSTRUCTION" in other.stdout, "CR14_WRITE" in other.stdout) == (False, True)


def test_the_host_is_asked_before_the_trace(intel: Path) -> None:
    about = {"schema": "xentool.capture/1", "host": "h", "xen_version": "4.17.5", "hz": 2e9, "mask": 0, "domains": []}
    intel.with_name(intel.name + ".meta.json").write_text(json.dumps({**about, "vendor": "intel"}))
    capture = json.loads(run("report", str(intel), "--json").stdout)["capture"]
    assert (capture["exit_vendor"], capture["exit_vendor_source"]) == ("intel", "host")
    # Nothing that a file holds makes it unreadable.
    intel.with_name(intel.name + ".meta.json").write_text(json.dumps({**about, "vendor": ["intel"]}))
    capture = json.loads(run("report", str(intel), "--json").stdout)["capture"]
    assert (capture["exit_vendor"], capture["exit_vendor_source"]) == ("intel", "trace")


def test_doubt_is_said_and_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "doubt.xentrace"
    path.write_bytes(made((INTELS_ID, {48: 2})))
    said = "whose VM exits these are is in doubt. They have Intel's names; --vendor intel or amd decides."
    report = run("report", str(path))
    assert (report.returncode, report.stderr) == (0, "")
    assert said.capitalize().split(".")[0].lower() in report.stdout.lower()
    assert "Damage" not in report.stdout
    dump = run("dump", str(path))
    assert (dump.returncode, dump.stderr) == (0, f"xentool: {said}\n")
    assert run("dump", str(path), "--vendor", "intel").stderr == ""
