"""Writes docs/xenbus.md: the tables of `pvdrivers.xenbus` as diagrams that GitHub and others draw."""

from pathlib import Path

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.xenbus import BACK, FRONT, NET_BACK, NET_FRONT, Action, Table

PAGE = Path(__file__).parents[2] / "docs/xenbus.md"

_HEAD = """\
# How split drivers connect, reconnect and part

Each end of a device has a node `state` in XenStore and watches its peer's. The tables of
[pvdrivers/xenbus.py](../pvdrivers/xenbus.py) say what an end does when its peer is in a certain state; these diagrams
are drawn from them (`python -m tests.docs.xenbus`). An arrow reads: **what the peer's state is** / what is done before
the new state is written.
"""
_PARTS = (
    ("A block frontend", FRONT),
    ("A block backend", BACK),
    ("A network frontend", NET_FRONT),
    ("A network backend", NET_BACK),
)


def page() -> str:
    """Make the page."""
    return "\n".join([_HEAD, *(f"## {title}\n\n```mermaid\n{diagram(table)}```\n" for title, table in _PARTS)])


def diagram(table: Table) -> str:
    """Draw one table; states that an end never writes itself are left out, for the diagram's sake."""
    written = {XenbusState.INITIALISING} | {step.state for step in table.values()}
    causes: dict[tuple[XenbusState, XenbusState, Action], list[XenbusState]] = {}
    for (own, peer), step in sorted(table.items()):
        if own in written:
            causes.setdefault((own, step.state, step.action), []).append(peer)
    lines = ["stateDiagram-v2", "    [*] --> Initialising"]
    for (own, state, action), peers in causes.items():
        lines.append(f"    {_name(own)} --> {_name(state)}: {', '.join(map(_name, peers))} / {action.value}")
    return "\n".join(lines) + "\n"


def _name(state: XenbusState) -> str:
    # As xenbus.h writes it.
    return "".join(word.capitalize() for word in state.name.split("_"))


if __name__ == "__main__":
    PAGE.write_text(page())
