"""Addresses and ranges of them as arguments; hexadecimal, with 0x or without."""

import re

import click

from xentool.tools.memory.paging import ADDRESS_SPACE, PAGE_BYTES

_ADDRESS = r"(?:0[xX])?([0-9a-fA-F]{1,16})"


def address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Read an address of 64 bits."""
    if value is None:
        return None
    if (match := re.fullmatch(_ADDRESS, value)) is None:
        raise click.BadParameter(f"{value!r} is no address; give it in hexadecimal, as in 0xffffffff81000000")
    return int(match[1], 16)


def pages(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int | None, int] | None:
    """Read a range: where it begins and ends; of +N, which counts from another address, None and its bytes."""
    if value is None:
        return None
    if match := re.fullmatch(r"\+([1-9]\d{0,15})", value, re.ASCII):
        return None, int(match[1]) * PAGE_BYTES
    match = re.fullmatch(f"{_ADDRESS}-{_ADDRESS}", value)
    if match is None or int(match[1], 16) >= int(match[2], 16):
        raise click.BadParameter(f"{value!r} is no range; give START-END in hexadecimal, or +N for N pages from VA")
    return int(match[1], 16), int(match[2], 16)


def bounds(va: int | None, chosen: tuple[int | None, int]) -> tuple[int, int]:
    """Give where a range begins and ends, in whole pages.

    :raises click.UsageError: it has two beginnings, or none
    """
    start, end = chosen
    if start is None:
        if va is None:
            raise click.UsageError("--pages +N counts from an address; give VA, or --rip")
        start = va
        end += va & -PAGE_BYTES
    elif va is not None:
        raise click.UsageError("--pages START-END says where to begin; leave out VA and --rip")
    return start & -PAGE_BYTES, min(-(-end // PAGE_BYTES) * PAGE_BYTES, ADDRESS_SPACE)
