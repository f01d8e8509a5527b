"""Who uses a disk through our own frontend under test; see `pvdrivers.conformance.block.subject.DiskUser`."""

from concurrent.futures import Future

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.block.errors import Unsupported
from pvdrivers.block.front.client import Client
from pvdrivers.conformance.block.subject import NotSupported
from pvdrivers.errors import DriverError


class User:
    """A user of a client's disk."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def sectors(self) -> int:
        """The disk's size, as the client sees it."""
        return self._client.geometry.sectors

    def start(self, operation: BlkifOp, offset: int = 0, length: int = 0, data: bytes = b"") -> "Future[bytes]":
        """Begin an operation."""
        done: Future[bytes] = Future()
        buffer = bytearray(length) if operation == BlkifOp.READ else bytearray(data)

        def told(under_way: "Future[None]") -> None:
            if error := under_way.exception():
                done.set_exception(_meaning(error))
            else:
                done.set_result(bytes(buffer) if operation == BlkifOp.READ else b"")

        try:
            self._client.start(operation, offset, length, buffer).add_done_callback(told)
        except (DriverError, ValueError) as error:
            done.set_exception(_meaning(error))
        return done


def _meaning(error: BaseException) -> BaseException:
    return NotSupported(str(error)) if isinstance(error, Unsupported) else error
