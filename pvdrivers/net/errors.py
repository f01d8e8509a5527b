"""What is wrong with one packet, or with how one was answered; what ends a ring otherwise is in `pvdrivers.errors`."""

from enum import Enum

from pvdrivers.abi.netif import NetifRsp
from pvdrivers.errors import PeerError


class Refusal(Enum):
    """Why a packet is not taken, whatever its figures."""

    # What a frontend sends, as a backend judges it.
    TX_EXTRA_TYPE = "tx-extra-type"
    TX_EXTRAS = "tx-extras"
    TX_ENDLESS = "tx-endless"
    TX_BEYOND_PAGE = "tx-beyond-page"
    TX_GSO_SIZE = "tx-gso-size"
    TX_GSO_TYPE = "tx-gso-type"
    TX_SLOTS = "tx-slots"
    TX_PARTS = "tx-parts"
    TX_SHORT = "tx-short"
    TX_NOT_COPIED = "tx-not-copied"
    # How a backend answers that, as the frontend judges it.
    TX_NOT_PENDING = "tx-not-pending"
    TX_NO_EXTRA = "tx-no-extra"
    # What a backend passes on, as a frontend judges it.
    RX_FAILED = "rx-failed"
    RX_BEYOND_PAGE = "rx-beyond-page"
    RX_EXTRA_MISSING = "rx-extra-missing"
    RX_EXTRA_TYPE = "rx-extra-type"
    RX_GSO_SIZE = "rx-gso-size"
    RX_GSO_TYPE = "rx-gso-type"
    RX_SLOTS = "rx-slots"
    RX_UNFINISHED = "rx-unfinished"
    RX_SHORT = "rx-short"

    @property
    def fatal(self) -> bool:
        """Whether nothing in the ring can be believed any more: its queue ends, as Linux disables the device."""
        return self in _FATAL

    @property
    def status(self) -> NetifRsp | None:
        """The status on the wire; None where nothing is answered: the queue ends, or the packet came as an answer."""
        return NetifRsp.ERROR if self in _ANSWERED else None


_FATAL = frozenset(
    {
        Refusal.TX_EXTRA_TYPE,
        Refusal.TX_EXTRAS,
        Refusal.TX_ENDLESS,
        Refusal.TX_BEYOND_PAGE,
        Refusal.TX_GSO_SIZE,
        Refusal.TX_GSO_TYPE,
        Refusal.TX_NOT_PENDING,
        Refusal.TX_NO_EXTRA,
    }
)
_ANSWERED = frozenset({Refusal.TX_SLOTS, Refusal.TX_PARTS, Refusal.TX_SHORT, Refusal.TX_NOT_COPIED})


class BadPacket(PeerError):
    """A packet, or an answer to one, that makes no sense: given up, and the queue with it if the refusal is fatal.

    :param why: for people, with the figures
    """

    def __init__(self, refusal: Refusal, why: str) -> None:
        super().__init__(why)
        self.refusal = refusal


class Unfit(Enum):
    """Why a frame cannot be passed on, neither as it is nor finished or cut: it is dropped, and counted."""

    #: Not even addresses and a type.
    SHORT = "short"
    #: Longer than its receiver takes, or what it is cut into is.
    LONG = "long"
    #: Its checksum is blank, and nobody can tell where and of what: no TCP or UDP, or in fragments.
    BLANK = "blank"
    #: To be cut as what it is not.
    GSO_TYPE = "gso-type"
    #: To be cut into nothing, or next to nothing.
    GSO_SIZE = "gso-size"
    #: A sum that is to be written past its end.
    CHECKSUM_PLACE = "checksum-place"


class BadAnswer(PeerError):
    """A backend answers on the control ring what nobody has asked, or in a way that is no answer."""


class Refused(PeerError):
    """A backend does not do what it was asked for on the control ring, as it may; all stays as it was."""
