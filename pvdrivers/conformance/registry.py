"""Finds cases: each file of them is a group for one kind of driver."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module

from pvdrivers.conformance.case import Case, Group
from pvdrivers.xenbus import Role

#: Where they are, in the order in which documents list them.
GROUPS = (
    "pvdrivers.conformance.cases.block_back_serves",
    "pvdrivers.conformance.cases.block_back_order",
    "pvdrivers.conformance.cases.block_back_nodes",
    "pvdrivers.conformance.cases.block_back_bounds",
    "pvdrivers.conformance.cases.block_back_operations",
    "pvdrivers.conformance.cases.block_back_races",
    "pvdrivers.conformance.cases.block_back_pages",
    "pvdrivers.conformance.cases.block_back_lives",
    "pvdrivers.conformance.cases.block_back_states",
    "pvdrivers.conformance.cases.block_front_serves",
    "pvdrivers.conformance.cases.block_front_answers",
    "pvdrivers.conformance.cases.block_front_lives",
    "pvdrivers.conformance.cases.block_front_states",
    "pvdrivers.conformance.cases.net_back_serves",
    "pvdrivers.conformance.cases.net_back_nodes",
    "pvdrivers.conformance.cases.net_back_slots",
    "pvdrivers.conformance.cases.net_back_offload",
    "pvdrivers.conformance.cases.net_back_receives",
    "pvdrivers.conformance.cases.net_back_control",
    "pvdrivers.conformance.cases.net_back_lives",
    "pvdrivers.conformance.cases.net_back_races",
    "pvdrivers.conformance.cases.net_back_states",
    "pvdrivers.conformance.cases.net_front_serves",
    "pvdrivers.conformance.cases.net_front_packets",
    "pvdrivers.conformance.cases.net_front_answers",
    "pvdrivers.conformance.cases.net_front_lives",
    "pvdrivers.conformance.cases.net_front_states",
)


@cache
def every() -> tuple[Case, ...]:
    """Give all cases, in the order of their numbers."""
    return tuple(sorted(_all(), key=lambda case: (case.device, case.role is Role.FRONT, case.ident)))


def _all() -> Iterator[Case]:
    for name in GROUPS:
        group: Group = import_module(name).CASES
        yield from group.cases


def chosen(device: str, role: Role, patterns: tuple[str, ...] = ()) -> list[Case]:
    """Give the cases of one kind of driver, those whose number matches a pattern, as of file names; or all."""
    return [
        case
        for case in every()
        if (case.device, case.role) == (device, role)
        and (not patterns or any(fnmatchcase(case.ident.upper(), each.upper()) for each in patterns))
    ]
