"""Nodes and changes as JSON documents, exact: what `snapshot` keeps and `diff` compares."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pvdrivers.xenstore.client import Client, Conflict, View
from xentool.errors import PeerError, XentoolError
from xentool.tools import outputs
from xentool.tools.store.changes import Change, changes
from xentool.tools.store.nodes import Node, Unlisted, lineage, tree
from xentool.tools.store.values import from_json, to_json

SCHEMA = "xentool.store/1"
TREES_SCHEMA = "xentool.store.trees/1"
CHANGES_SCHEMA = "xentool.store.changes/1"
#: A store that changes all the time is read as it comes after so many tries at one moment.
_TRIES = 5


class Snapshot(NamedTuple):
    """A node and all under it.

    :param taken: when, seconds since 1970
    :param consistent: whether all is of one moment, read in one transaction
    :param unlisted: nodes whose children are not among ``nodes``, since the store could not list them
    """

    top: str
    taken: float
    consistent: bool
    nodes: list[Node]
    unlisted: tuple[Unlisted, ...] = ()


def take(client: Client, top: str) -> Snapshot:
    """Read a node and all under it, at one moment if the store lets us.

    :raises NotFound: there is no such node
    """
    taken = time.time()

    def read(view: View) -> tuple[list[Node], tuple[Unlisted, ...]]:
        unlisted: list[Unlisted] = []
        return tree(view, top, unlisted=unlisted), tuple(unlisted)

    try:
        return Snapshot(top, taken, True, *client.transact(read, _TRIES))
    except Conflict:
        return Snapshot(top, taken, False, *read(client))


def differences(before: Snapshot, after: Snapshot) -> list[Change]:
    """List what differs between two snapshots, but for what one of them could not tell."""
    unlisted = {each.path for each in (*before.unlisted, *after.unlisted)}

    def told(snapshot: Snapshot) -> Iterator[Node]:
        return (each for each in snapshot.nodes if not unlisted.intersection(lineage(each.path)))

    return changes(told(before), told(after))


def document(snapshot: Snapshot) -> dict[str, Any]:
    """Write a snapshot as a JSON document."""
    return {
        "schema": SCHEMA,
        "top": snapshot.top,
        "taken": snapshot.taken,
        "consistent": snapshot.consistent,
        "nodes": [{"path": node.path, **_held(node)} for node in snapshot.nodes],
        "unlisted": [each._asdict() for each in snapshot.unlisted],
    }


def trees_document(snapshots: Iterable[Snapshot]) -> dict[str, Any]:
    """Write several snapshots as one JSON document."""
    return {"schema": TREES_SCHEMA, "trees": [document(snapshot) for snapshot in snapshots]}


def changes_document(changes: Iterable[Change]) -> dict[str, Any]:
    """Write changes as a JSON document."""
    return {"schema": CHANGES_SCHEMA, "changes": [change_object(change) for change in changes]}


def change_object(change: Change) -> dict[str, Any]:
    """Write a change as a JSON object: what the node held and holds, null where there is none."""
    old, new = (None if node is None else _held(node) for node in (change.old, change.new))
    return {"path": change.path, "change": change.kind.value, "old": old, "new": new}


def _held(node: Node) -> dict[str, Any]:
    return {**to_json(node.value), "permissions": list(node.permissions)}


def save(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot to a file, whole or not at all, readable for its owner only: stores hold passwords.

    :raises XentoolError: it cannot be written
    """
    with outputs.replaced(path, private=True) as file:
        file.write(json.dumps(document(snapshot), indent=1).encode() + b"\n")


def load(path: Path) -> Snapshot:
    """Read a snapshot from a file.

    :raises XentoolError: it cannot be read
    :raises PeerError: it holds something else
    """
    try:
        return _parsed(json.loads(path.read_bytes()))
    except OSError as error:
        raise XentoolError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PeerError(f"{path} is no snapshot of a XenStore ({SCHEMA}): {error}") from error


def _parsed(read: Any) -> Snapshot:  # noqa: ANN401 - anything at all, until it is checked here
    if not isinstance(read, dict) or read.get("schema") != SCHEMA:
        raise ValueError("its schema is another")
    nodes = [
        Node(_text(each["path"]), from_json(each), tuple(_text(entry) for entry in each["permissions"]))
        for each in read["nodes"]
    ]
    unlisted = tuple(Unlisted(_text(each["path"]), _text(each["why"])) for each in read.get("unlisted", ()))
    return Snapshot(_text(read["top"]), float(read["taken"]), read["consistent"] is True, nodes, unlisted)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value
