"""Documents and help against the program: each command that is written down parses, each option says what it does."""

import re
import shlex

import click
import pytest

from tests.docs.commandline import EVERY, commands, parse
from tests.docs.paths import ROOT, documents
from xentool.cli.commands import COMMANDS
from xentool.cli.common.manual import pages
from xentool.cli.root import group

WRITTEN = [
    (str(path.relative_to(ROOT)), words, whole)
    for path in documents()
    if path.name != "CHANGELOG.md"  # what it says was so then
    for words, whole in commands(path.read_text())
]


def test_documents_are_read() -> None:
    assert ["report", "domU.xentrace", "--from", "1.5", "--to", "2", "--pcpu", "0"] in [one for _, one, _ in WRITTEN]
    assert ["report", "-"] in [one for _, one, _ in WRITTEN]
    assert len(WRITTEN) > 90


def test_what_is_written_parses() -> None:
    wrong = []
    for document, words, whole in WRITTEN:
        try:
            parse(words, whole=whole)
        except click.ClickException as error:
            wrong.append(f"{document}: xentool {shlex.join(words)}: {error.format_message()}")
    assert wrong == []


@pytest.mark.parametrize(
    "words", [["reprot", "x"], ["report", "x", "--form", "1"], ["export", "x", "--format", "xls"], ["report"]]
)
def test_what_does_not_exist_is_noticed(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        parse(words)


def test_the_readme_shows_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    # Some are named among others, as in `destroy, pause, unpause`.
    assert [name for name in COMMANDS if not re.search(rf"(xentool |[#`;,] ?){name}\b", readme)] == []


def test_every_option_says_what_it_does() -> None:
    silent = [
        f"{context.command_path} {one.opts[0]}"
        for context in EVERY
        for one in context.command.params
        if isinstance(one, click.Option) and not one.hidden and not (one.help or "").strip()
    ]
    assert silent == []


def test_every_command_says_what_it_does() -> None:
    assert [context.command_path for context in EVERY if not (context.command.help or "").strip()] == []


def test_manual_pages_have_every_option() -> None:
    written = dict(pages(group))
    missing = [
        f"{context.command_path} {switch}"
        for context in EVERY
        if not context.command.hidden
        for one in context.command.get_params(context)
        if isinstance(one, click.Option) and not one.hidden
        for switch in one.opts
        if switch.replace("-", "\\-") not in written[context.command_path.replace(" ", "-")]
    ]
    assert missing == []
