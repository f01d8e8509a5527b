"""Valid requests → what a disk does; the second half of "parse, then execute"."""

import os
from collections.abc import Sequence
from errno import EOPNOTSUPP

from pvdrivers.abi.blkif import SECTOR_SIZE, BlkifOp, BlkifRsp
from pvdrivers.block.disks.base import Disk, Kind
from pvdrivers.block.request import Limits, Request


def limits_of(disk: Disk, max_indirect: int) -> Limits:
    """Tell what can be asked of a disk, as it is now."""
    return Limits(disk.sectors, disk.sector_size, disk.readonly, disk.flushes, disk.discards, disk.secure, max_indirect)


def at_once(disk: Disk, request: Request, buffers: Sequence[memoryview]) -> bool:
    """Read what a file's cache holds, which is not worth a thread; tell whether that is done."""
    if request.operation != BlkifOp.READ or disk.medium.kind is not Kind.FILE:
        return False
    try:
        moved = os.preadv(disk.medium.fd, buffers, request.sector * SECTOR_SIZE, os.RWF_NOWAIT)
    except OSError:
        # It would have to wait, or its file system cannot tell, or there are too many: a thread finds out.
        return False
    return moved == request.sectors * SECTOR_SIZE


def execute(disk: Disk, request: Request, buffers: Sequence[memoryview]) -> BlkifRsp:
    """Do what is asked for, which is valid; tell how it went."""
    try:
        match request.operation:
            case BlkifOp.READ:
                disk.read(request.sector, buffers)
            case BlkifOp.WRITE:
                disk.write(request.sector, buffers)
            case BlkifOp.DISCARD:
                disk.discard(request.sector, request.sectors, secure=request.secure)
            case _:
                # What a flush or barrier brings along is written after, and as durable as, all that came before.
                disk.flush()
                if buffers:
                    disk.write(request.sector, buffers)
                    disk.flush()
    except OSError as error:
        return BlkifRsp.EOPNOTSUPP if error.errno == EOPNOTSUPP else BlkifRsp.ERROR
    return BlkifRsp.OKAY
