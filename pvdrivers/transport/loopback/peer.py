"""Copies to and from another domain's pages: what it granted is looked up in its grant table for each piece."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.transport.base import PIECE, Piece
from pvdrivers.transport.loopback.copies import Copies
from pvdrivers.transport.loopback.hypervisor import GREFS, PAGE_BITS
from pvdrivers.transport.loopback.memory import Area

#: Regions that stay mapped; when there are more, all are let go.
_REGIONS_MAX = 1024


class MappedRegion(NamedTuple):
    """What a peer granted at once, mapped."""

    number: int
    area: Area
    writable: bool


class OtherDomain:
    """Another domain.

    :param table: its grant table
    :param find: gives the region of a reference, or None if it is not granted to this domain
    """

    def __init__(self, table: memoryview, find: Callable[[int], MappedRegion | None]) -> None:
        self._table = table
        self._copies = Copies(table, PAGE_BITS)
        self._find = find
        self._regions: dict[int, MappedRegion] = {}
        # One thread's copy would go on in what another's lets go.
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let its pages go, and its grant table; once another thread's copies are made."""
        with self._lock:
            self._forget()
            self._copies.close()
            self._table.release()

    def _forget(self) -> None:
        self._copies.forget()
        for region in self._regions.values():
            region.area.close()
        self._regions.clear()

    def copy(self, pieces: Sequence[Piece], memory: memoryview, *, into_peer: bool) -> list[int]:
        """Copy pieces one by one; see `base.Transport.copy_from`."""
        with self._lock:
            if len(self._regions) > _REGIONS_MAX:
                self._forget()
            return [self._copy(piece, memory, into_peer) for piece in pieces]

    def copy_packed(self, batch: memoryview, memory: memoryview, *, into_peer: bool) -> None:
        """Copy packed pieces; see `base.Transport.copy`."""
        with self._lock:
            if len(self._regions) > _REGIONS_MAX:
                self._forget()
            at, size = 0, len(batch)
            while (at := self._copies.copy(batch, memory, into_peer, at)) * PIECE.size < size:
                gref, offset, length, place, _ = PIECE.unpack_from(batch, at * PIECE.size)
                status = self._copy(Piece(gref, offset, place, length), memory, into_peer)
                PIECE.pack_into(batch, at * PIECE.size, gref, offset, length, place, status)
                at += 1

    def _copy(self, piece: Piece, memory: memoryview, into_peer: bool) -> int:
        gref, offset, place, length = piece
        if place < 0 or length < 0 or place + length > len(memory):
            raise ValueError(f"{length} bytes at {place} are not within {len(memory)}")
        if offset < 0 or offset + length > PAGE_SIZE:
            return GntSt.BAD_COPY_ARG
        entry = self._table[gref] if 0 <= gref < GREFS else 0
        if not entry:
            return GntSt.BAD_GNTREF
        region = self._regions.get(entry >> PAGE_BITS) or self._open(gref)
        if region:
            self._copies.learn(region.number, region.area.memory, region.writable)
        if region is None or (into_peer and not region.writable):
            return GntSt.GENERAL_ERROR
        start = (entry & (1 << PAGE_BITS) - 1) * PAGE_SIZE + offset
        if into_peer:
            region.area.memory[start : start + length] = memory[place : place + length]
        else:
            memory[place : place + length] = region.area.memory[start : start + length]
        return GntSt.OKAY

    def _open(self, gref: int) -> MappedRegion | None:
        region = self._find(gref)
        if region:
            self._regions[region.number] = region
        return region
