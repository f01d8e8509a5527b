"""How one kind of record is declared."""

from dataclasses import dataclass

from construct import Struct


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its id without layout flags, trace.h's name for it, and its payload's layout.

    ``wide`` is the layout under ``FLAG_64``, where the event has one; ``by_levels`` those for guests with three and
    four levels of page tables (see ``xenshadow``). Fields missing at the end of a record are absent in what is
    decoded, since releases of Xen have grown and shrunk payloads.
    """

    id: int
    name: str
    payload: Struct
    wide: Struct | None = None
    by_levels: tuple[Struct, ...] = ()
