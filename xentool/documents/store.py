"""What a XenStore holds. A value that is no UTF-8 is under ``value_base64`` in the stead of ``value``."""

from typing import Literal, NotRequired, TypedDict


class Store(TypedDict):
    """``xentool store snapshot``, ``tree --json`` and ``ls --json`` of one path: nodes and all under them."""

    schema: Literal["xentool.store/1"]
    top: str
    taken: float  # since the epoch
    consistent: bool  # whether all is of one moment
    nodes: "list[Node]"
    unlisted: "list[Unlisted]"  # nodes whose children could not be listed


class Node(TypedDict):
    """A node."""

    path: str
    value: NotRequired[str | None]  # null where it could not be read
    value_base64: NotRequired[str]
    permissions: list[str]


class Unlisted(TypedDict):
    """Of which node the store could not list the children, and why."""

    path: str
    why: str


class Trees(TypedDict):
    """``xentool store ls --json`` of several paths."""

    schema: Literal["xentool.store.trees/1"]
    trees: list[Store]


class Changes(TypedDict):
    """``xentool store diff --json``, and what ``--dry-run --json`` would change."""

    schema: Literal["xentool.store.changes/1"]
    changes: "list[Change]"


class Change(TypedDict):
    """A node that is not what it was; a line of ``store watch --json`` has ``time`` besides, since the epoch."""

    path: str
    change: Literal["created", "removed", "changed", "fired"]
    old: "Held | None"
    new: "Held | None"


class Held(TypedDict):
    """What a node held or holds."""

    value: NotRequired[str | None]
    value_base64: NotRequired[str]
    permissions: list[str]


class Values(TypedDict):
    """``xentool store read --json``."""

    schema: Literal["xentool.store.values/1"]
    nodes: "list[Value]"


class Value(TypedDict):
    """A node's value."""

    path: str
    value: NotRequired[str | None]
    value_base64: NotRequired[str]


class Lists(TypedDict):
    """``xentool store list --json``."""

    schema: Literal["xentool.store.list/1"]
    directories: "list[Directory]"


class Directory(TypedDict):
    """A node's children."""

    path: str
    children: list[str]
