"""Sizes as people write them."""

import re

import click

_SIZE = re.compile(r"([0-9]{1,12})([kKmM]?)(?:i?B)?")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}


def size(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    """Read a size for an option: 4096, 4k, 1M."""
    found = _SIZE.fullmatch(value)
    if not found or not int(found[1]):
        raise click.BadParameter(f"{value!r} is no size; give one as in 4096, 4k or 1M")
    return int(found[1]) * _UNITS[found[2].lower()]
