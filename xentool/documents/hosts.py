"""Hosts by name."""

from typing import Literal, TypedDict


class Hosts(TypedDict):
    """``xentool host list --json``."""

    schema: Literal["xentool.hosts/1"]
    in_use: str | None  # the name of the host that commands use when they are told none
    hosts: "list[NamedHost]"


class NamedHost(TypedDict):
    """A host that has a name."""

    name: str
    host: str  # as --host takes it
