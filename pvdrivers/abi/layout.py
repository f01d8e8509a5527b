"""How a C struct of Xen's headers is declared: names, types, and what eight bytes are aligned to.

All integers are little-endian, as on every architecture that Xen runs on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct, calcsize
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Layout:
    """A struct: where its fields are, and how to read and write it.

    ``struct`` holds the fields in their order, arrays and structs within flattened, paddings left out.
    """

    name: str
    #: Bytes from the struct's beginning, by field.
    offsets: Mapping[str, int]
    size: int
    align: int
    struct: Struct


def layout(name: str, wide: int, **fields: str | tuple[Layout, int]) -> Layout:
    """Lay out a struct as a C compiler does.

    :param name: the struct's, in its header
    :param wide: what an integer of eight bytes is aligned to: 4 in the i386 ABI, else 8
    :param fields: a code of Python's `struct`, after a count for an array; or a struct and how many of it
    """
    offsets = {}
    codes = ""
    end, align = 0, 1
    for field, kind in fields.items():
        if isinstance(kind, str):
            code, unit = kind, min(calcsize("<" + kind[-1]), wide)
        else:
            inner, count = kind
            code, unit = inner.struct.format.lstrip("<") * count, inner.align
        padding = -end % unit
        offsets[field] = end + padding
        codes += "x" * padding + code
        end += padding + calcsize("<" + code)
        align = max(align, unit)
    codes += "x" * (-end % align)
    packed = Struct("<" + codes)
    return Layout(name, MappingProxyType(offsets), packed.size, align, packed)
