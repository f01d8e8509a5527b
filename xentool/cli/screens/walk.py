"""What `walk` shows."""

from collections.abc import Sequence

from rich.text import Text

from xentool import extras, output
from xentool.cli.screens import views
from xentool.tools.memory import picture
from xentool.tools.memory.guest import Subject
from xentool.tools.memory.look import MOST, Run, Seen

#: Heads of the columns of frames, by what they are called.
_COLUMNS = {"mfn": ("mfn", "pfn"), "gfn": ("gfn", "host frame")}


def write(seen: Seen) -> None:
    """Draw one address."""
    for line in picture.one(seen):
        output.line(line)


def page(seen: Seen) -> bytes:
    """Draw it as a page.

    :raises XentoolError: what draws pages is not installed
    """
    extras.need("jinja2", "--html")
    from xentool.tools.memory.page import page as made  # noqa: PLC0415 - brings jinja2, which not everybody has

    return made(seen)


def write_range(subject: Subject, found: Sequence[Run], last: int, asked: int) -> None:
    """Write a range, a line for each run."""
    for line in picture.heading(subject):
        output.line(line)
    rows = list(picture.many(found, subject))
    first, second = _COLUMNS[subject.frames]
    titles = (">VA", ">pages", f">{first}", f">{second}", "may", "~whose")
    kept = [column for column, title in enumerate(titles) if column < 3 or any(row[column] for row in rows)]
    table = views.table(*(titles[column] for column in kept))
    for row in rows:
        table.add_row(*(Text(row[column]) for column in kept))
    console = output.stdout()
    console.print()
    console.print(table)
    if last < asked:
        console.print()
        console.print(Text(f"{MOST:,} pages and gaps are the most that are walked at once: it goes on at {last:#x}."))
