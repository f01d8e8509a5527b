"""Documents and help against the program: each command that is written down parses, each option says what it does."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from tests.docs.paths import ROOT, documents
from xentool.cli.commands import COMMANDS
from xentool.cli.common.manual import pages
from xentool.cli.root import group

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: Blocks that are for a shell.
_SHELLS = frozenset({"", "sh", "console"})
_INLINE = re.compile(r"`(xentool [^`\n]+)`")
_ENDS = frozenset("|&;<>()") | {"&&", "||", ">>"}


def commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """Give the words after each `xentool` of a document, as a shell would, and whether the command is all there."""
    for kind, block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if kind in _SHELLS and "xentool " in line:
                yield from ((words, True) for words in _of_line(line.removeprefix("$ ")))
    # In a sentence a command is often only named.
    for line in _INLINE.findall(text):
        yield from ((words, False) for words in _of_line(line))


def _of_line(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] | None = None
    for word in [*lexer, ";"]:
        if word in _ENDS:
            if words is not None:
                yield words
            words = None
        elif words is not None:
            words.append(word)
        elif word == "xentool" or word.endswith("/xentool"):
            words = []


def parse(words: list[str], *, whole: bool = True) -> None:
    """Parse as the program does, but touch no file: what is no command, option or choice raises.

    :param whole: values of options, and arguments, must not be missing
    """
    command: click.Command = group
    context = click.Context(group, info_name="xentool")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            raise click.UsageError(f"no command {words[0]}", context)
        context = click.Context(found, info_name=words[0], parent=context, **found.context_settings)
        command, words = found, words[1:]
    try:
        values, rest, _ = command.make_parser(context).parse_args(list(words))
    except click.BadOptionUsage:
        if whole:
            raise
        return
    if rest:
        raise click.UsageError(f"too many words: {rest}", context)
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)
        given = isinstance(value, str | tuple) and value
        if whole and isinstance(parameter, click.Argument) and parameter.required and not given:
            raise click.UsageError(f"no {parameter.name}", context)


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


def _all(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if found := command.get_command(context, name):
                yield from _all(found, click.Context(found, info_name=name, parent=context))


EVERY = list(_all(group, click.Context(group, info_name="xentool", **group.context_settings)))


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
