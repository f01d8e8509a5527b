"""Values held to types: what ``json`` read, and the TypedDicts of ``xentool.documents``."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, NotRequired, Union, cast, get_args, get_origin, get_type_hints, is_typeddict


def wrong(value: object, kind: object, at: str = "", *, more: bool = False) -> Iterator[str]:
    """Tell where a value is not of its type: one line for each place.

    :param more: fields that the uppermost type has not are fine
    """
    origin, inside = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        yield from _fields(value, cast("type", kind), at, more=more)
    elif origin in (Union, UnionType):
        yield from _of_several(value, inside, at)
    elif origin is list and isinstance(value, list):
        for index, one in enumerate(value):
            yield from wrong(one, inside[0], f"{at}[{index}]")
    elif origin is dict and isinstance(value, dict):
        for name, one in value.items():
            yield from wrong(one, inside[1], f"{at}.{name}")
    elif not (value in inside if origin is Literal else kind is Any or (origin is None and _plain(value, kind))):
        yield f"{at}: {value!r:.40} is no {kind}"


def _of_several(value: object, kinds: tuple[object, ...], at: str) -> Iterator[str]:
    if any(_fits(value, one) for one in kinds):
        return
    # Of what may be null the other tells more.
    told = [one for one in kinds if one is not type(None)]
    yield from wrong(value, told[0], at) if len(told) == 1 else [f"{at}: {value!r:.40} is none of {kinds}"]


def _fits(value: object, kind: object) -> bool:
    return next(wrong(value, kind), None) is None


def _fields(value: object, kind: type, at: str, *, more: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r:.40} is no object"
        return
    for name, hint in get_type_hints(kind, include_extras=True).items():
        optional = get_origin(hint) is NotRequired
        if name in value:
            yield from wrong(value[name], get_args(hint)[0] if optional else hint, f"{at}.{name}")
        elif not optional:
            yield f"{at}.{name} is missing"
    if not more:
        yield from (f"{at}.{name} is not described" for name in value.keys() - get_type_hints(kind).keys())


def _plain(value: object, kind: object) -> bool:
    if kind is type(None):
        return value is None
    if isinstance(value, bool):
        return kind is bool
    # 1.0 may be written as 1.
    return isinstance(value, int | float) if kind is float else isinstance(value, cast("type", kind))
