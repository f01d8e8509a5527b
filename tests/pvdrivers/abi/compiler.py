"""A C compiler, asked whether layouts and constants of ours are those of headers.

It only checks assertions, so it needs no library, and no 32-bit one above all.
"""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from pvdrivers.abi.layout import Layout


def complaints(headers: Iterable[str], assertions: Iterable[str], bits: int = 64, defined: Iterable[str] = ()) -> str:
    """Give what the compiler says of assertions in C; nothing if all of them hold.

    :param defined: macros that headers go by
    """
    text = "".join(f"#define {name} 1\n" for name in defined)
    text += "".join(f"#include <{header}>\n" for header in headers)
    text += "".join(f"_Static_assert({each}, {_quoted(each)});\n" for each in assertions)
    command = ["gcc", "-x", "c", f"-m{bits}", "-ffreestanding", "-fsyntax-only", "-Wall", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stderr


def fields(layout: Layout, names: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Assert a layout's sizes and places.

    :param names: what our names for fields of a struct are in C, if they differ
    """
    name = layout.name
    # A field's size is the bytes until the next that are not padding; but an array of structs has some of its own.
    yield f"sizeof(struct {name}) == {layout.size}"
    for field, offset in layout.offsets.items():
        c = names.get((name, field), field)
        yield f"__builtin_offsetof(struct {name}, {c}) == {offset}"
    for (field, offset), (_, following) in pairwise([*layout.offsets.items(), ("", layout.size)]):
        c = names.get((name, field), field)
        values = sum(_used(layout, byte) for byte in range(offset, following))
        yield f"sizeof(((struct {name} *)0)->{c}) == {following - offset if c == 'seg' else values}"


def _used(layout: Layout, byte: int) -> bool:
    """Tell whether a byte is part of a value: whether reading sees it."""
    blank = bytes(layout.size)
    probe = bytearray(blank)
    probe[byte] = 1
    return layout.struct.unpack(probe) != layout.struct.unpack(blank)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
