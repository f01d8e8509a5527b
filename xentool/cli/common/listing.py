"""How commands that list things take the same options, and tell what they found: ordered, in a form, once or again.

A command says what there is (``Answer``); this module says when it is looked for, and how it is told.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

import click

from traces.meant import meant
from xentool import output
from xentool.cli.common.numbers import Number

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")
#: What an order goes by: a number, of which the largest comes first, or a text from a on; None comes last.
Orders = dict[str, Callable[[Item], float | str | None]]

_SECONDS = 2.0
_NUMBER = re.compile(r"\d+\.?\d*|\.\d+")
#: Columns where nothing is to be folded or left out.
_WIDE = 10_000
_FORMS = ("wide", "name", "json")
_FORM_HELP = "wide: fold and leave out nothing; name: only names, one a line, for scripts; json."
_WATCH_HELP = f"Look again and again, each {_SECONDS:g} seconds or as said; q ends, ? tells what other keys do."


@dataclass(frozen=True)
class Answer:
    """What a command found, made in the form that is asked for.

    :param text: prints it for people
    :param names: of what is listed, as other commands take them
    :param document: for programs
    :param head: so many lines of the text are its headings
    :param plain: the text's lines where no terminal is, if these need no console, which takes long to load
    """

    text: "Callable[[Console], None]"
    names: Callable[[], Iterable[str]]
    document: Callable[[], object]
    head: int = 1
    plain: Callable[[], Iterable[str]] | None = None


@dataclass(frozen=True)
class Form:
    """How it is told.

    :param form: wide, name or json; None for a table in the terminal's width
    :param sort: by which of the command's orders, None for its own
    :param every: seconds between two looks; None for one look alone
    """

    form: str | None = None
    sort: str | None = None
    every: float | None = None


class Listing(click.Command):
    """A command with ``--watch``: only a number behind it belongs to it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Tell ``--watch domU``, an option and a domain, from ``--watch 5``."""
        ends = args.index("--") if "--" in args else len(args)
        for at, word in enumerate(args[:ends]):
            if word == "--watch" and not _NUMBER.fullmatch("".join(args[at + 1 : at + 2])):
                args[at] = f"--watch={_SECONDS:g}"
        return super().parse_args(ctx, args)


def listed(orders: Sequence[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options; the command gets what they say as ``form``.

    :param orders: by which its lines can be sorted
    """

    def added(command: Callable[..., None]) -> Callable[..., None]:
        @click.option("-o", "--output", "form", type=click.Choice(_FORMS), help=_FORM_HELP)
        @click.option("--json", "as_json", is_flag=True, help="Print data as JSON: -o json.")
        @click.option(
            "--watch",
            "every",
            is_flag=False,
            flag_value=_SECONDS,
            type=Number(0.1),
            metavar="[SECONDS]",
            help=_WATCH_HELP,
        )
        @wraps(command)
        def called(
            *,
            form: str | None,
            as_json: bool,
            every: float | None,
            sort: str | None = None,
            **others: Any,  # noqa: ANN401 - the command's own
        ) -> None:
            if as_json and form not in (None, "json"):
                raise click.UsageError(f"--json and -o {form} are two forms: give one")
            command(form=Form("json" if as_json else form, sort, every), **others)

        if orders:
            columns = ", ".join(orders)
            sorted_by = click.option(
                "--sort", callback=_known(orders), metavar="COLUMN", help=f"Order by one of {columns}."
            )
            called = sorted_by(called)
        return called

    return added


def _known(orders: Sequence[str]) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    def known(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        if value is not None and value not in orders:
            near = meant(value, orders) or f"; there are {', '.join(orders)}"
            raise click.BadParameter(f"there is no column {value!r}{near}")
        return value

    return known


def ordered(items: Iterable[Item], orders: Orders[Item], by: str | None) -> list[Item]:
    """Put items in an order; None leaves them as they are."""
    if by is None:
        return list(items)
    value = orders[by]

    def place(item: Item) -> tuple[bool, float, list[tuple[bool, int, str]]]:
        known = value(item)
        if isinstance(known, str):
            return False, 0, natural(known)
        return known is None, 0 if known is None else -known, []

    return sorted(items, key=place)


def natural(text: str) -> list[tuple[bool, int, str]]:
    """Give what texts are ordered by, with numbers in them by their value: xvdb2 comes before xvdb10."""
    parts = re.split(r"([0-9]{1,20})", text)
    return [(False, int(part), "") if at % 2 else (True, 0, part.casefold()) for at, part in enumerate(parts)]


def tell(look: Callable[[], Answer], form: Form) -> None:
    """Look, and tell what was found: once, or until `q` or Ctrl-C, on a page of its own on a terminal."""
    if form.every is None:
        _write(look(), form)
    elif form.form in (None, "wide") and sys.stdout.isatty() and sys.stdin.isatty():
        _show(look, form, form.every)
    else:
        while True:
            _write(look(), form)
            if form.form != "json":
                sys.stdout.write("\n")
            sys.stdout.flush()
            sleep(form.every)


def _write(answer: Answer, form: Form) -> None:
    if form.form == "json" and form.every is not None:
        sys.stdout.write(f"{json.dumps(answer.document())}\n")
    elif form.form == "json":
        output.write_json(answer.document())
    elif form.form == "name":
        for name in answer.names():
            output.line(name)
    elif answer.plain is not None and not sys.stdout.isatty():
        sys.stdout.writelines(f"{line}\n" for line in answer.plain())
    else:
        console = output.stdout()
        if form.form == "wide":
            console.width = _WIDE
        answer.text(console)


def _show(look: Callable[[], Answer], form: Form, every: float) -> None:
    from rich.text import Text  # noqa: PLC0415 - JSON needs none of it

    from xentool.cli.screens.page import Drawn, Page, lines  # noqa: PLC0415 - as above

    def draw(width: int) -> Drawn:
        told = lines(answer.text, _WIDE if form.form == "wide" else width)
        foot = Text(f"every {every:g} s; q ends, ? helps", "dim")
        return Drawn(told[: answer.head], [[line] for line in told[answer.head :]], foot)

    answer = look()
    with Page(draw) as page:
        while page.wait(every):
            answer = look()
