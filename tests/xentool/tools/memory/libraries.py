"""Xen's libraries as xen_dom0.py calls them, made of Python: a dom0 of two PV domains and a PVH one, and a journal."""

import ctypes
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.xentool.tools.memory.guests import ENTRIES, ROOT, TEXT, Memory, packed
from xentool.tools.memory import xen_structs as structs
from xentool.tools.memory.paging import FOUR_LEVELS, PAGE_BYTES

#: Xen's own table of machine frames is at these, 2 MiB each.
PIECES = tuple(range(0x200000, 0x800000, 0x100000))
#: A frame of dom0's that domain 1 has mapped, one of Xen's that it shares, one of a device.
GRANTED, SHARED, DEVICE = 0x555, 0x666, 0xFE000
#: Calls by which a domain would be changed, or held.
CHANGES = ("pause", "setcontext", "write", "mmu", "destroy")


class Libraries:
    """What there is in the machine.

    :param owner: of frames, by frame
    """

    def __init__(self) -> None:
        self.memory = Memory()
        self.memory.map(FOUR_LEVELS, ROOT, TEXT, ENTRIES)
        self.owner = dict.fromkeys((*self.memory.pages, 1346628), 1) | {GRANTED: 0}
        self.memory.pages |= {GRANTED: bytearray(PAGE_BYTES), 0x148C44: bytearray(PAGE_BYTES)}
        self.special = {(1, SHARED), (0x7FF1, DEVICE)}
        self.calls: list[str] = []
        self.mapped: dict[int, Any] = {}
        self.ctrl = SimpleNamespace(**{name: self._called(name) for name in dir(self) if name.startswith("xc_")})
        self.foreign = SimpleNamespace(
            xenforeignmemory_open=self._called("xenforeignmemory_open"),
            xenforeignmemory_map=self._called("xenforeignmemory_map"),
            xenforeignmemory_unmap=self._called("xenforeignmemory_unmap"),
        )

    def _called(self, name: str) -> Callable[..., Any]:
        method = getattr(self, name)

        def call(*words: Any) -> Any:  # noqa: ANN401 - as C has it
            self.calls.append(name)
            return method(*words)

        return call

    def xc_interface_open(self, *_: object) -> int:
        return 1

    def xenforeignmemory_open(self, *_: object) -> int:
        return 2

    def xc_domain_getinfolist(self, _xch: object, first: Any, _most: object, room: Any) -> int:  # noqa: ANN401 - as ctypes has it
        for domid, flags in ((0, 0), (1, 0), (4, 1 << 1 | 1 << 8)):
            if domid >= first.value:
                room[:96] = packed(96, structs.DOMAIN, domain=domid, flags=flags, max_vcpu_id=1)
                return 1
        return 0

    def xc_domain_get_guest_width(self, _xch: object, _domid: object, found: Any) -> int:  # noqa: ANN401 - as ctypes has it
        found._obj.value = 8
        return 0

    def xc_vcpu_getcontext(self, _xch: object, domid: Any, vcpu: Any, room: Any) -> int:  # noqa: ANN401 - as ctypes has it
        if domid.value == 0 or vcpu.value:
            ctypes.set_errno(22 if domid.value == 0 or vcpu.value > 1 else 61)
            return -1
        told = packed(len(room), structs.PV64, rip=TEXT, cr3=ROOT, flags=1 << 2)
        room[: len(told)] = told
        return 0

    def xc_domain_hvm_getcontext_partial(
        self,
        _xch: object,
        _domid: object,
        code: Any,  # noqa: ANN401 - as ctypes has it
        _vcpu: object,
        room: Any,  # noqa: ANN401 - as ctypes has it
        size: Any,  # noqa: ANN401 - as ctypes has it
    ) -> int:
        assert code.value == 2
        told = packed(size.value, structs.HVM, rip=0x40, cr0=1 << 31 | 1, cr3=ROOT, cr4=1 << 5, efer=1 << 10)
        room[: len(told)] = told
        return 0

    def xc_get_pfn_type_batch(self, _xch: object, domid: Any, number: Any, kinds: Any) -> int:  # noqa: ANN401 - as ctypes has it
        tables = {
            frame: level for level, frame in zip((1, 2, 3, 4), (0x14B413, 0x149416, 0x149415, ROOT >> 12), strict=True)
        }
        for at in range(number.value):
            frame = kinds[at]
            own = self.owner.get(frame) == domid.value
            kinds[at] = (tables.get(frame, 0) << 28 | (frame == ROOT >> 12) << 31) if own else 0xF << 28
        return 0

    def xc_maximum_ram_page(self, _xch: object, found: Any) -> int:  # noqa: ANN401 - as ctypes has it
        found._obj.value = len(PIECES) << 18
        return 0

    def xc_machphys_mfn_list(self, _xch: object, number: Any, pieces: Any) -> int:  # noqa: ANN401 - as ctypes has it
        if number.value != len(PIECES):
            return -1
        pieces[:] = PIECES
        return 0

    def xenforeignmemory_map(self, _memory: object, domid: int, prot: int, count: int, frames: Any, failed: Any) -> int:  # noqa: ANN401 - as ctypes has it
        assert (prot, count) == (1, 1)
        content = self._content(domid, frames[0])
        if content is None:
            failed[0] = -22
            content = b"\xee" * PAGE_BYTES
        made = ctypes.create_string_buffer(content, PAGE_BYTES)
        self.mapped[ctypes.addressof(made)] = made
        return ctypes.addressof(made)

    def xenforeignmemory_unmap(self, _memory: object, at: int, _count: int) -> int:
        del self.mapped[at]
        return 0

    def _content(self, domid: int, frame: int) -> bytes | None:
        if domid == 0x7FF2:
            for number, piece in enumerate(PIECES):
                if piece <= frame < piece + 512:
                    first = (number << 18) + (frame - piece) * 512
                    return struct.pack("<512Q", *(self._pfn(mfn) for mfn in range(first, first + 512)))
            return None
        if (domid, frame) in self.special:
            return bytes(PAGE_BYTES)
        page = self.memory.pages.get(frame)
        if domid == 0:  # no stranger to itself
            return None
        domid = 0 if domid == 0x7FF0 else domid
        # Of a PVH domain tables are taken for its own.
        return bytes(page) if page is not None and (self.owner.get(frame) == domid or domid == 4) else None

    def _pfn(self, mfn: int) -> int:
        return mfn & 0xFFFF if mfn in self.owner else (1 << 64) - 1
