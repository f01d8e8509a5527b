"""What can be observed of a driver; what that is worth is said elsewhere (`case.Case.allow`, `judge`)."""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class Observation(Enum):
    """One thing that a driver did: a word for tables, and what it means."""

    # Of a backend's answers, and of what a frontend's user was told.
    OKAY = "okay", "done, and the data are right"
    ERROR = "error", "refused as an error, and nothing is touched"
    EOPNOTSUPP = "eopnotsupp", "refused as not supported, and nothing is touched"
    ODD = "odd-status", "answered with a status that is none"
    # Of a device.
    SERVED = "served", "connected and served all the same"
    REFUSED = "refused", "not connected: an error node, or closing"
    WAITS = "waits", "not connected, without a word"
    DISABLED = "disabled", "this ring or device is given up, its siblings live"
    CLOSED = "closed", "parted, as it was asked to"
    REOPENED = "reopened", "connected again, and serves"
    FOLLOWED = "followed", "took notice of what changed"
    IGNORED = "ignored", "took no notice, and goes on"
    ORDERED = "ordered", "in the order that was asked for"
    HELD = "held", "not used again as long as the peer can change it"
    CLEAN = "clean", "nothing but payload and zeros"
    DROPPED = "dropped", "answered, and not passed on"
    CUT = "cut", "in segments, which have all that was to be cut"
    BOUNDED = "bounded", "costs little, and serves on"
    LOST = "lost", "answered as done, and it never comes out"
    # What no driver may do.
    WRONG_DATA = "wrong-data", "done, it says, and the data are wrong"
    CHANGED = "changed", "something changed that must not: a disk, or a page"
    FOREIGN = "foreign", "bytes came out that belong to nobody here"
    MIXED = "mixed", "no single snapshot of the request explains it"
    MISNAMED = "misnamed", "an answer to what nobody asked: another id or operation"
    TWICE = "twice", "answered twice"
    OVERRUN = "overrun", "an index of its own is where it cannot be"
    UNNOTIFIED = "unnotified", "answered, and did not notify though it was asked to"
    UNORDERED = "unordered", "not in the order that was asked for"
    KEPT = "kept", "still uses pages that it was to let go of"
    UNBOUNDED = "unbounded", "keeps a processor busy, or grows, for as long as its peer wants"
    MISLED = "misled", "says of a frame what is not so, or not what is"
    STRAYED = "strayed", "reads, writes or reports what its peer never offered"
    SILENT = "silent", "no answer within the time for one"
    CRASHED = "crashed", "it is no more, or made a mistake that it had to catch"

    def __init__(self, word: str, says: str) -> None:
        self.word = word
        self.says = says


#: No clause allows these, whatever a case says of others.
NEVER = frozenset(
    {
        Observation.ODD,
        Observation.WRONG_DATA,
        Observation.CHANGED,
        Observation.FOREIGN,
        Observation.MIXED,
        Observation.MISNAMED,
        Observation.TWICE,
        Observation.OVERRUN,
        Observation.UNNOTIFIED,
        Observation.UNORDERED,
        Observation.KEPT,
        Observation.UNBOUNDED,
        Observation.MISLED,
        Observation.STRAYED,
    }
)


class Seen(NamedTuple):
    """What was observed of one thing that was tried.

    :param what: was tried, for people
    :param detail: what there is to say beyond the observation's meaning; empty for nothing
    """

    what: str
    observation: Observation
    detail: str = ""


Sights = Iterator[Seen]


class Noticed(Exception):
    """Ends a case's steps by what was observed.

    :param what: was tried
    """

    def __init__(self, observation: Observation, detail: str, what: str = "") -> None:
        super().__init__(detail)
        self.seen = Seen(what, observation, detail)


class Unsupported(Exception):
    """The driver does not offer what the case is about; the message says what."""


class Inconclusive(Exception):
    """The case could not be carried out; the message says why."""
