"""Commands as documents and help write them, and as the program parses them."""

import re
import shlex
from collections.abc import Iterator

import click

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
                yield from ((words, True) for words in of_line(line.removeprefix("$ ")))
    # In a sentence a command is often only named.
    for line in _INLINE.findall(text):
        yield from ((words, False) for words in of_line(line))


def of_line(line: str) -> Iterator[list[str]]:
    """Give the words after each `xentool` of a line, as a shell would."""
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


def _all(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if found := command.get_command(context, name):
                yield from _all(found, click.Context(found, info_name=name, parent=context))


#: The context of each command.
EVERY = list(_all(group, click.Context(group, info_name="xentool", **group.context_settings)))
