"""What goes wrong with one request, and is answered; what ends a ring or a device is in `pvdrivers.errors`."""

from enum import Enum

from pvdrivers.abi.blkif import BlkifRsp
from pvdrivers.errors import DriverError, MachineError, PeerError


class Refusal(Enum):
    """Why a request is not done, whatever its figures; `status` is what its response says."""

    #: What this backend does not do, or did not offer.
    NO_OPERATION = "no-operation"
    NO_FLUSH = "no-flush"
    NO_INDIRECT = "no-indirect"
    NO_DISCARD = "no-discard"
    NO_SECURE = "no-secure"
    #: What cannot be.
    SEGMENTS = "segments"
    NO_SEGMENTS = "no-segments"
    SECTORS_OF_PAGE = "sectors-of-page"
    INDIRECT_OPERATION = "indirect-operation"
    INDIRECT_PAGES = "indirect-pages"
    READ_ONLY = "read-only"
    NOTHING = "nothing"
    BEYOND_END = "beyond-end"
    UNALIGNED = "unaligned"

    @property
    def status(self) -> BlkifRsp:
        """The status on the wire."""
        return BlkifRsp.EOPNOTSUPP if self in _UNSUPPORTED else BlkifRsp.ERROR


_UNSUPPORTED = frozenset(
    {Refusal.NO_OPERATION, Refusal.NO_FLUSH, Refusal.NO_INDIRECT, Refusal.NO_DISCARD, Refusal.NO_SECURE}
)


class BadRequest(PeerError):
    """A frontend asks for what cannot be, or what this backend does not do. Answered, and then forgotten.

    :param ident: the request's id, as the frontend gave it
    :param operation: what the response is to name
    :param why: for people, with the figures
    """

    def __init__(self, ident: int, operation: int, refusal: Refusal, why: str) -> None:
        super().__init__(why)
        self.ident = ident
        self.operation = operation
        self.refusal = refusal


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
