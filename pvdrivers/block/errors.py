"""What goes wrong with one request, and is answered; what ends a ring or a device is in `pvdrivers.errors`."""

from pvdrivers.abi.blkif import BlkifRsp
from pvdrivers.errors import DriverError, MachineError, PeerError


class BadRequest(PeerError):
    """A frontend asks for what cannot be, or what this backend does not do. Answered, and then forgotten.

    :param ident: the request's id, as the frontend gave it
    :param operation: what the response is to name
    """

    def __init__(self, ident: int, operation: int, status: BlkifRsp, why: str) -> None:
        super().__init__(why)
        self.ident = ident
        self.operation = operation
        self.status = status


class BadResponse(PeerError):
    """A backend answers what nobody asked, or in a way that is no answer: its device is given up."""


class RequestFailed(DriverError):
    """The backend says that a request failed, for reasons that it keeps to itself."""


class Unsupported(RequestFailed):
    """The backend says that it does not do that."""


class NoDisk(MachineError):
    """A disk that cannot be opened, or is none."""


class InUse(NoDisk):
    """Others use the disk in a way that does not go with what is wanted."""
