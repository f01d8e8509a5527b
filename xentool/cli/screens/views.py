"""How domains and devices look, the same in each command: words, colours, units. What guests wrote is escaped."""

from rich.text import Text

from pvdrivers.abi.xenbus import XenbusState
from traces.exporters.fitted import Fitted
from traces.foreign import printable
from traces.plural import plural

#: For what is not known.
NONE = Text("-", "dim")

_STYLES = {
    "running": "green",
    "runnable": "yellow",
    "blocked": "blue",
    "paused": "yellow",
    "crashed": "bold red",
    "dying": "red",
    "off": "dim",
    "offline": "dim",
}
_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_END_STYLES = {XenbusState.CONNECTED: "green", XenbusState.CLOSING: "red", XenbusState.CLOSED: "red"}


def table(*columns: str, headed: bool = True, flat: bool = False) -> Fitted:
    """Make a table without lines.

    :param columns: their titles; ``>`` before one aligns it right, ``~`` lets it be folded, ``!`` keeps it whatever
        room there is; of the others those to the right are left out first
    :param headed: whether titles are shown
    :param flat: see ``Fitted``
    """
    made = Fitted(headed=headed, flat=flat)
    for title in columns:
        marks = title[: len(title) - len(title.lstrip(">~!"))]
        rank = 0 if "!" in marks else None
        made.add_column(Text(title[len(marks) :]), right=">" in marks, folds="~" in marks, rank=rank)
    return made


def words(value: object) -> Text:
    """Show any value, a dash for none."""
    return NONE if value is None else Text(printable(str(value)))


def counted(number: int, noun: str) -> str:
    """Say how many of something there are."""
    return plural(number, noun)


def state(value: str) -> Text:
    """Show the state of a domain or a vCPU."""
    return Text(printable(value), _STYLES.get(value, "red"))


def end(value: XenbusState, name: str) -> Text:
    """Show the state of one end of a device, by its name."""
    return Text(name, _END_STYLES.get(value, "yellow"))


def size(value: int | None) -> Text:
    """Show a number of bytes in the largest unit that leaves it 1 or more."""
    if value is None:
        return NONE
    unit, name = next((one for one in _UNITS if value >= one[0]), (1, "B"))
    number = value / unit
    return Text(f"{number:,.0f} {name}" if number >= 100 or number.is_integer() else f"{number:.3g} {name}")


def seconds(value: float | None) -> Text:
    """Show a time in seconds, to a tenth as xl does."""
    return NONE if value is None else Text(f"{value:,.1f}")


def count(value: int | None) -> Text:
    """Show a number, a dash for none."""
    return NONE if value is None else Text(f"{value:,}")
