"""Calls so plain that they need no parser: help, and a report on a file. All else is click's.

Loading click takes longer than any of these. What is said and done is the same either way, which a test holds.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, TextIO

from xentool.cli.commands import COMMANDS, FIRST, INTERRUPTED, MORE, SECTIONS, SUMMARY, WRONG_USAGE

#: Lines of help have so many characters where a terminal has room for two more. In narrower ones click folds them.
_WIDTH = 78
#: Where what is said to who says nothing tells what a command does.
_DOES = 32
#: Words have room in so many columns.
_NARROWEST = 20
_OPTIONS = {"-V, --version": "Show the version and exit.", "-h, --help": "Show this message and exit."}


class Asked(NamedTuple):
    """A report on a file, as text or JSON, and nothing else about it."""

    file: str
    as_json: bool


def run(words: list[str]) -> int | None:
    """Do what the words ask and give the exit code; None if they are for click."""
    if "_XENTOOL_COMPLETE" in os.environ:
        return None
    if words in (["-h"], ["--help"]):
        if _columns(sys.__stdout__) < _WIDTH + 2:
            return None
        with _paging():
            sys.stdout.write(f"{help_text()}\n")
        return 0
    if not words:
        sys.stderr.write(brief())
        return WRONG_USAGE
    asked = report_asked(words)
    return None if asked is None else _report(asked)


def report_asked(words: list[str]) -> Asked | None:
    """Find in the words a report on one file, with --json or without; None if there is anything else."""
    if words[:1] != ["report"]:
        return None
    files = [word for word in words[1:] if word != "--json"]
    if len(files) != 1 or not files[0] or (files[0].startswith("-") and files[0] != "-"):
        return None
    return Asked(files[0], as_json=len(words) > 2)


def _report(asked: Asked) -> int:
    from xentool.cli.common import reported  # noqa: PLC0415 - help needs none of it

    try:
        with _paging(asked.file):
            return INTERRUPTED if reported.show(Path(asked.file), as_json=asked.as_json) else 0
    except (KeyboardInterrupt, EOFError):
        # What the terminal shows of Ctrl-C stays a line of its own, as with click.
        sys.stderr.write("\n")
        return INTERRUPTED


def _paging(file: str = "") -> AbstractContextManager[None]:
    if file == "-" or not sys.stdout.isatty():
        return nullcontext()
    from xentool.cli.common.pager import paging  # noqa: PLC0415 - takes long to load, and pipes have none

    return paging()


def help_text() -> str:
    """Write what ``xentool --help`` says in a terminal that is wide enough."""
    lines = [
        "Usage: xentool [OPTIONS] COMMAND [ARGS]...",
        "",
        f"  {SUMMARY}",
        "",
        "Options:",
        *_listed(_OPTIONS.items()),
    ]
    for title, names in SECTIONS.items():
        lines += ("", f"{title}:", *_listed((name, COMMANDS[name][1]) for name in names))
    return "\n".join(lines)


def brief() -> str:
    """Write what is said to who says nothing, folded on a terminal that is narrower."""
    title = f"xentool: {SUMMARY[0].lower()}{SUMMARY[1:]}"
    lines = [title, "", *(f"  {command}".ljust(_DOES) + does for command, does in FIRST.items()), "", MORE]
    width = max(_columns(sys.__stderr__) - 1, _NARROWEST)
    if max(map(len, lines)) > width:
        import textwrap  # noqa: PLC0415 - takes long to load, and few terminals are so narrow

        told = [("", title), ("", ""), *FIRST.items(), ("", ""), ("", MORE)]
        lines = []
        for command, text in told:
            lines += [f"  {command}"] if command else []
            indent = "    " if command else ""
            lines += textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent) or [""]
    return "".join(f"{line}\n" for line in lines)


def _listed(found: Iterable[tuple[str, str]]) -> Iterator[str]:
    rows = list(found)
    indent = 4 + max(len(name) for name, _ in rows)
    for name, what in rows:
        line = f"  {name}".ljust(indent - 1)
        for word in what.split():
            if len(line) + 1 + len(word) > _WIDTH:
                yield line
                line = " " * (indent - 1)
            line += f" {word}"
        yield line


def _columns(stream: TextIO | None) -> int:
    # As shutil has it, which takes long to load.
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns > 0:
        return columns
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH + 2  # type: ignore[union-attr] # see below
    except (AttributeError, ValueError, OSError):
        # There is no such stream, or it is no terminal.
        return _WIDTH + 2
