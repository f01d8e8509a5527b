"""Runs in dom0, where it is sent as text: answers questions about guests' memory, by Xen's own libraries.

Law: it reads, and only reads. No domain is paused, nothing is written; Xen itself holds a vCPU for the moment in which
it copies its registers, as it does for whoever asks. It needs Python 3.7 and what Xen's tools bring, nothing else.

A question is a line of words on stdin, a verb and numbers; an answer two 32-bit words, an errno and a length, and so
many bytes. The end of stdin ends it.

Ref: tools/include/xenctrl.h, tools/libs/foreignmemory/include/xenforeignmemory.h; xc_map_m2p in
tools/libs/guest/xg_offline_page.c; 4.17, 4.20
"""

from __future__ import annotations  # Python 3.7 knows no list[int]

import ctypes
import errno
import os
import struct
import sys
from pathlib import Path
from typing import BinaryIO

PAGE = 4096
DOMID_SELF, DOMID_XEN = 0x7FF0, 0x7FF2
PROT_READ = 1
HVM_SAVE_CPU = 2
#: As much of what Xen tells about a domain as all releases have alike; and how many domains there can be.
DOMAIN_BYTES, DOMIDS = 96, 0x7FF0
#: Room for any of the structs, of which the largest has 5 KiB.
ROOM = 16384
#: Bytes of a piece of Xen's table of machine frames, and of an element.
M2P_PIECE, M2P_ENTRY = 1 << 21, 8
#: How much a question may ask for.
FRAMES, MANY = 64, 1024
FOLDERS = ("opt/xen*/lib*", "usr/lib", "usr/lib64", "usr/lib/*", "usr/local/lib", "usr/local/lib64")
VERBS = ("ready", "domains", "width", "context", "hvm", "frames", "maps", "types", "m2p")


def running() -> str:
    """Tell which release of Xen runs, as in 4.17; nothing where that is not known."""
    try:
        return ".".join(Path("/sys/hypervisor/version", part).read_text().strip() for part in ("major", "minor"))
    except OSError:
        return ""


def library(name: str) -> ctypes.CDLL:
    """Open one of Xen's libraries: that of the release that runs, or else the last.

    :raises OSError: there is none
    """
    release = f".so.{running()}"
    found = [str(path) for folder in FOLDERS for path in Path("/").glob(f"{folder}/{name}.so.*")]
    if not found:
        raise OSError(errno.ENOENT, f"there is no {name}, which comes with Xen's tools")
    return ctypes.CDLL(max(found, key=lambda path: (path.endswith(release), path)), use_errno=True)


class Xen:
    """What is asked, by verb; each raises OSError where Xen refuses."""

    def __init__(self, ctrl: ctypes.CDLL, foreign: ctypes.CDLL) -> None:
        handle, number = ctypes.c_void_p, ctypes.c_uint32
        for opens in (ctrl.xc_interface_open, foreign.xenforeignmemory_open):
            opens.restype = handle
        foreign.xenforeignmemory_map.restype = handle
        foreign.xenforeignmemory_map.argtypes = [handle, number, ctypes.c_int, ctypes.c_size_t, handle, handle]
        foreign.xenforeignmemory_unmap.argtypes = [handle, handle, ctypes.c_size_t]
        self.ctrl, self.foreign = ctrl, foreign
        self.xch = handle(ctrl.xc_interface_open(None, None, number(0)))
        self.memory = handle(foreign.xenforeignmemory_open(None, number(0)))
        if not self.xch or not self.memory:
            raise OSError(ctypes.get_errno() or errno.EPERM, "Xen lets only root in dom0 look at guests' memory")
        self.pieces: list[int] | None = None

    def call(self, name: str, *words: object) -> int:
        """Call libxenctrl with the interface and these words."""
        ctypes.set_errno(0)
        done: int = getattr(self.ctrl, name)(self.xch, *words)
        if done < 0:
            raise OSError(ctypes.get_errno() or errno.EIO, name)
        return done

    def ready(self) -> bytes:
        """Tell that there is something to ask."""
        return b""

    def domains(self) -> bytes:
        """Give of each domain the beginning of its xen_domctl_getdomaininfo."""
        room, found, first, one = ctypes.create_string_buffer(ROOM), b"", 0, ctypes.c_uint(1)
        while first < DOMIDS and self.call("xc_domain_getinfolist", ctypes.c_uint32(first), one, room) == 1:
            found += room.raw[:DOMAIN_BYTES]
            first = struct.unpack_from("<H", room.raw)[0] + 1
        return found

    def width(self, domid: int) -> bytes:
        """Tell how many bytes a PV guest's words have."""
        found = ctypes.c_uint(0)
        self.call("xc_domain_get_guest_width", ctypes.c_uint32(domid), ctypes.byref(found))
        return struct.pack("<I", found.value)

    def context(self, domid: int, vcpu: int) -> bytes:
        """Give a vCPU's vcpu_guest_context."""
        room = ctypes.create_string_buffer(ROOM)
        self.call("xc_vcpu_getcontext", ctypes.c_uint32(domid), ctypes.c_uint32(vcpu), room)
        return room.raw

    def hvm(self, domid: int, vcpu: int) -> bytes:
        """Give a vCPU's hvm_hw_cpu."""
        room = ctypes.create_string_buffer(ROOM)
        which = ctypes.c_uint32(domid), ctypes.c_uint16(HVM_SAVE_CPU), ctypes.c_uint16(vcpu)
        self.call("xc_domain_hvm_getcontext_partial", *which, room, ctypes.c_uint32(ROOM))
        return room.raw

    def page(self, domid: int, frame: int, *, look: bool = True) -> bytes:
        """Give a frame's bytes, none where it cannot be mapped; one byte where it is not to be looked at."""
        frames, failed = (ctypes.c_ulong * 1)(frame), (ctypes.c_int * 1)(0)
        # Dom0 is no stranger to itself, and Xen refuses to have it called one.
        domid = domid or DOMID_SELF
        at = self.foreign.xenforeignmemory_map(self.memory, domid, PROT_READ, 1, frames, failed)
        if not at:
            return b""
        try:
            # A page that could not be mapped has an address all the same, and to read there would kill us.
            return b"" if failed[0] else ctypes.string_at(at, PAGE) if look else b"\1"
        finally:
            self.foreign.xenforeignmemory_unmap(self.memory, at, 1)

    def frames(self, domid: int, *frames: int) -> bytes:
        """Give frames' bytes: for each a byte that tells whether it could be read, and if so 4096 more."""
        pages = (self.page(domid, frame) for frame in frames[:FRAMES])
        return b"".join(b"\1" + page if page else b"\0" for page in pages)

    def maps(self, domid: int, *frames: int) -> bytes:
        """Tell whether frames can be mapped, a byte each; they are not read, for they may be a device's."""
        return b"".join(self.page(domid, frame, look=False) or b"\0" for frame in frames[:FRAMES])

    def types(self, domid: int, *frames: int) -> bytes:
        """Give XEN_DOMCTL_PFINFO_* of frames, 64 bits each. For PV: an HVM guest's page Xen might make for it."""
        found = (ctypes.c_ulong * len(frames[:MANY]))(*frames[:MANY])
        self.call("xc_get_pfn_type_batch", ctypes.c_uint32(domid), ctypes.c_uint(len(found)), found)
        return struct.pack(f"<{len(found)}Q", *found)

    def m2p(self, *frames: int) -> bytes:
        """Tell what Xen's table says of machine frames, 64 bits each; all of them set where it has nothing."""
        if self.pieces is None:
            most = ctypes.c_ulong(0)
            self.call("xc_maximum_ram_page", ctypes.byref(most))
            count = -(-most.value * M2P_ENTRY // M2P_PIECE)
            pieces = (ctypes.c_ulong * count)()
            self.call("xc_machphys_mfn_list", ctypes.c_ulong(count), pieces)
            self.pieces = list(pieces)
        found, pages = b"", {}
        for frame in frames[:MANY]:
            piece, at = divmod(frame * M2P_ENTRY, M2P_PIECE)
            page = b""
            if piece < len(self.pieces):
                mfn = self.pieces[piece] + at // PAGE
                if mfn not in pages:
                    pages[mfn] = self.page(DOMID_XEN, mfn)
                page = pages[mfn]
            found += page[at % PAGE : at % PAGE + M2P_ENTRY] or b"\xff" * M2P_ENTRY
        return found


def answer(xen: Xen, line: bytes) -> tuple[int, bytes]:
    """Give the errno and the bytes that answer a line."""
    verb, *words = line.decode().split()
    if verb not in VERBS:
        return errno.ENOSYS, b""
    try:
        return 0, getattr(xen, verb)(*map(int, words))
    except OSError as refused:
        return refused.errno or errno.EIO, b""


def main(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there are no more questions."""
    if struct.calcsize("P") != M2P_ENTRY:
        raise OSError(errno.ENOSYS, "dom0's programs have 32 bits; structs of 64 bits are all that is known here")
    xen = Xen(library("libxenctrl"), library("libxenforeignmemory"))
    for line in questions:
        number, told = answer(xen, line)
        answers.write(struct.pack("<II", number, len(told)) + told)
        answers.flush()


if __name__ == "__main__":
    try:
        main(sys.stdin.buffer, sys.stdout.buffer)
    except OSError as refused:
        sys.exit(refused.strerror or os.strerror(refused.errno or errno.EIO))
