import dataclasses
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from xentool.cli.lab import group
from xentool.errors import Unavailable
from xentool.lab import api, hypervisors, places, qemu, record, status


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path))
    return tmp_path


def leave(name: str, console: str) -> record.Lab:
    """Leave behind what a lab leaves whose QEMU is gone."""
    run = places.run_folder(name)
    run.mkdir()
    (run / qemu.CONSOLE).write_text(console)
    (run / qemu.PIDFILE).write_text("1\n")
    lab = record.Lab(name, "4.17", "/i", "tcg", 3072, 2, 2222, "/k", "/h", 1, time.time() - 60, record.UP)
    record.write(lab)
    return lab


def test_a_record_comes_back_as_it_was() -> None:
    lab = leave("a", "")
    assert record.read("a") == lab
    assert record.names() == ["a"]
    record.remove("a")
    assert record.read("a") is None


def test_a_record_says_what_it_boots_and_an_older_one_means_xen() -> None:
    lab = leave("a", "")
    path = lab.run / "state.json"
    record.write(dataclasses.replace(lab, hypervisor="kvm"))
    found = record.read("a")
    assert found is not None
    assert (found.under, found.runs) == (hypervisors.KVM, "KVM of Debian bookworm")
    values = json.loads(path.read_text())
    del values["hypervisor"]
    path.write_text(json.dumps(values))
    assert record.read("a") == lab
    path.write_text(json.dumps(values | {"hypervisor": "bhyve"}))
    assert record.read("a") is None


def test_a_broken_record_is_none() -> None:
    leave("a", "").run.joinpath("state.json").write_text("{")
    assert record.read("a") is None
    assert status.every() == []


def test_a_dead_lab_says_why_with_its_console() -> None:
    leave("a", "(XEN) one\r\n(XEN) Panic on CPU 0:\r\n(XEN) two\r\n")
    with pytest.raises(Unavailable, match=r"(?s)^lab a is dead: Xen panicked on CPU 0; the end of .*:\n  .*two$"):
        status.running(None)


def test_down_on_a_dead_lab_clears_it_away() -> None:
    lab = leave("a", "")
    assert api.down() == "lab a was dead already: QEMU was killed or crashed"
    assert [path.name for path in lab.run.iterdir() if path.name != "lock"] == [qemu.CONSOLE]
    with pytest.raises(Unavailable, match="no lab a is running"):
        api.down("a")


def test_status_without_labs() -> None:
    assert CliRunner().invoke(group, ["status"]).output == "no lab is running; `xentool lab up` starts one\n"
    assert json.loads(CliRunner().invoke(group, ["status", "--json"]).output)["labs"] == []


def test_status_of_a_dead_lab() -> None:
    leave("a", "")
    lines = CliRunner().invoke(group, ["status"]).output.splitlines()
    assert lines[1].split() == ["a", "dead", "Xen", "4.17", "tcg", "2", "3072", "1", "2222"]
    assert lines[2].startswith("a: QEMU was killed or crashed")


def test_logs_of_a_lab_that_ended() -> None:
    leave("a", "(XEN) hello\r\n")
    assert b"".join(api.console("a")) == b"(XEN) hello\r\n"
    assert b"".join(api.console("a", follow=True)) == b"(XEN) hello\r\n"


def test_every_command_has_help() -> None:
    for words in (
        [],
        ["guest"],
        ["up"],
        ["guest", "start"],
        ["logs"],
        ["run"],
        ["down"],
        ["sync"],
        ["shell"],
        ["build"],
    ):
        result = CliRunner().invoke(group, [*words, "--help"])
        assert result.exit_code == 0, words
        assert max(map(len, result.output.splitlines())) <= 80
