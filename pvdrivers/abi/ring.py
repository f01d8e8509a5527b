"""The shared ring: four indices, then slots in which requests go one way and responses come back.

Ref: xen/include/public/io/ring.h
"""

from dataclasses import dataclass

from pvdrivers.abi.layout import Layout, layout

#: Where the slots begin.
HEADER = layout("sring", 8, req_prod="I", req_event="I", rsp_prod="I", rsp_event="I", pvt="4s", pad="44s")

#: Bytes of a page; a ring has 1 << order of them.
PAGE_SIZE = 4096
ORDER_MAX = 4


@dataclass(frozen=True, slots=True)
class RingType:
    """What a ring carries. Each slot has room for either."""

    name: str
    request: Layout
    response: Layout

    @property
    def slot_size(self) -> int:
        """Bytes from one slot to the next."""
        return max(self.request.size, self.response.size)

    def slots(self, order: int = 0) -> int:
        """Count the slots of a ring of ``1 << order`` pages: as many as fit, rounded down to a power of two."""
        fit = ((PAGE_SIZE << order) - HEADER.size) // self.slot_size
        return 1 << (fit.bit_length() - 1)
