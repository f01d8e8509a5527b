"""Manual pages, made of the same help that --help prints.

click-man would leave out what this command line has: commands loaded late, epilogs, and lines kept as they are.
"""

import inspect
import re
from collections.abc import Iterator

import click

from xentool import __version__
from xentool.cli.common.lazy import LazyGroup

_EXITS = (
    ("0", "done"),
    ("1", "the operation failed"),
    ("2", "wrong usage"),
    ("3", "no Xen, KVM or host to be had"),
    ("4", "a peer, file or guest broke the protocol or format; what could be decoded was printed"),
    ("5", "conformance failures were found"),
    ("130", "interrupted, and everything put back"),
)
#: How click marks a paragraph whose lines are kept.
_KEPT = "\b"


def pages(root: click.Group) -> Iterator[tuple[str, str]]:
    """Give name and source of every command's page, that of the root first."""
    yield from _pages(click.Context(root, info_name="xentool", **root.context_settings))


def _pages(context: click.Context) -> Iterator[tuple[str, str]]:
    below = list(_below(context))
    yield _name(context), "\n".join(_page(context, below)) + "\n"
    for one in below:
        yield from _pages(one)


def _below(context: click.Context) -> Iterator[click.Context]:
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            found = context.command.get_command(context, name)
            if found is not None and not found.hidden:
                yield click.Context(found, info_name=name, parent=context)


def _page(context: click.Context, below: list[click.Context]) -> Iterator[str]:
    name, it = _name(context), context.command
    yield f'.TH {name.upper()} 1 "" "xentool {__version__}" "xentool manual"'
    yield from (".SH NAME", f"{_text(name)} \\- {_text(_short(context).rstrip('.'))}")
    usage = " ".join(it.collect_usage_pieces(context))
    yield from (".SH SYNOPSIS", f"\\fB{_text(context.command_path)}\\fR {_text(usage)}")
    yield from (".SH DESCRIPTION", *_paragraphs(it.help or ""))
    options = [one for one in it.get_params(context) if isinstance(one, click.Option)]
    records = [record for one in options if (record := one.get_help_record(context))]
    yield ".SH OPTIONS"
    for switches, meaning in records:
        yield from (".TP", f"\\fB{_text(switches)}\\fR", _text(" ".join(meaning.split())))
    if it.epilog:
        yield from (".SH NOTES", *_paragraphs(it.epilog))
    if below:
        yield ".SH COMMANDS"
        for one in below:
            yield from (".TP", f"\\fB{_text(_name(one))}\\fR(1)", _text(_short(one)))
    yield ".SH EXIT STATUS"
    for status, meaning in _EXITS:
        yield from (".TP", f"\\fB{status}\\fR", meaning)
    if context.parent:
        yield from (".SH SEE ALSO", f"\\fB{_text(_name(context.parent))}\\fR(1)")


def _short(context: click.Context) -> str:
    # What the list of commands says.
    above = context.parent.command if context.parent else None
    if isinstance(above, LazyGroup) and context.info_name in above.lazy:
        return above.lazy[context.info_name][1]
    return context.command.get_short_help_str(200)


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _paragraphs(text: str) -> Iterator[str]:
    for index, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
        if index:
            yield ".PP"
        first, _, rest = paragraph.strip("\n").partition("\n")
        if first.strip() == _KEPT:
            yield from (".nf", *map(_text, rest.split("\n")), ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    # A hyphen as it is typed, and no line that begins as a request.
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
