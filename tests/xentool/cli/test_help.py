"""What helps who does not know a name: groups of commands, examples, names that are alike, lists of all."""

import shlex

import click
import pytest

from tests.docs.commandline import EVERY, of_line, parse
from tests.xentool.cli.inprocess import ran
from traces.choice.classes import CLASSES
from traces.choice.where import catalogue, kinds
from traces.meant import meant
from xentool.cli.commands import COMMANDS, SECTIONS
from xentool.cli.common.examples import EXAMPLES
from xentool.cli.root import group


def test_every_command_is_in_one_section() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)


def test_alone_it_says_ten_lines() -> None:
    done = ran()
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) < 80
    for line in lines:
        if line.startswith("  xentool "):
            assert line.split()[1] in COMMANDS


@pytest.mark.parametrize(("columns", "widest"), [("40", 39), ("79", 78), ("80", 79), ("1", 21)])
def test_alone_it_is_folded_between_words_where_it_has_no_room(
    columns: str, widest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ran().stderr
    monkeypatch.setenv("COLUMNS", columns)
    folded = ran().stderr
    assert max(map(len, folded.splitlines())) <= widest
    assert folded.split() == whole.split()
    assert (folded == whole) == (columns == "80")


def test_every_command_has_examples_of_itself() -> None:
    paths = {context.command_path.partition(" ")[2] for context in EVERY} - {""}
    assert paths == set(EXAMPLES)
    for path, lines in EXAMPLES.items():
        assert f"xentool {path}" in lines[0]


def test_help_begins_with_them() -> None:
    lines = ran("device", "detach", "--help").stdout.splitlines()
    assert lines[2:4] == ["  Examples:", "    xentool device detach domU xvdb"]
    text = ran("report", "--help").stdout
    assert text.index("| xentool report -") < text.index("Report on FILE") < text.index("Options:")


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["reprot"], "there is no command 'reprot'; did you mean 'report'"),
        (["lab", "gest"], "there is no command 'gest'; did you mean 'guest'?"),
        (["dump", "x", "-e", "sched_swich"], "did you mean 'sched_switch'"),
        (["dump", "x", "-e", "Grants"], "did you mean 'grant'?"),
        (["list", "-H", "lba"], "did you mean 'lab'?"),
    ],
)
def test_a_name_that_is_like_it(words: list[str], near: str) -> None:
    done = ran(*words)
    assert done.returncode == 2
    assert near in done.stderr


def test_nothing_is_guessed_of_what_is_like_nothing() -> None:
    assert "did you mean" not in ran("frobnicate").stderr
    assert meant("domU", ["web", "db"]) == ""
    assert meant("domu", ["domU", "web"]) == "; did you mean 'domU'?"


def test_all_names_are_listed_without_a_file() -> None:
    done = ran("dump", "-e", "list")
    assert done.returncode == 0
    told = done.stdout.split()
    assert {"mmu_update", "sched_switch", "grant:", "pm_idle_entry"} <= set(told)
    assert ran("record", "-e", "list").stdout == done.stdout


def test_every_name_that_is_listed_is_taken() -> None:
    listed = catalogue()
    assert list(listed) == [*CLASSES, ""]
    assert "grant_table_op" in listed["grant"]
    assert "mem_page_grant_map" in listed["grant"]
    for names in listed.values():
        for name in names:
            assert kinds(name).given == {name}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("gra", {"grant", "grant_table_op"}), ("iret,sched_sw", {"iret,sched_switch"}), ("!exi", {"!exit"})],
)
def test_shells_complete_them(typed: str, offered: set[str]) -> None:
    context = click.Context(group, info_name="xentool")
    command = group.get_command(context, "dump")
    assert command is not None
    (option,) = (one for one in command.params if one.name == "kinds")
    found = {one.value for one in option.shell_complete(click.Context(command, parent=context), typed)}
    assert offered <= found
    assert all(one.startswith(typed) for one in found)


def test_examples_parse() -> None:
    for lines in EXAMPLES.values():
        for line in lines:
            for words in () if line.endswith("-e list") else of_line(line):
                try:
                    parse(words)
                except click.ClickException as error:
                    pytest.fail(f"xentool {shlex.join(words)}: {error.format_message()}")


def test_help_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = ran("--help").stdout.splitlines()
    assert max(map(len, lines)) < 40
    assert "Trace:" in lines
