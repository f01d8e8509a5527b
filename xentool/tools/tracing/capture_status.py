"""What capture.sh says about a capture, and what that means to the user. No I/O."""

import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass

from traces.counting.wallclock import Noted, Pair
from xentool.errors import Unavailable, XentoolError

PREFIX = "xentool: "
# Seconds of silence from the client after which dom0 ends a capture; `patience` in capture.sh.
PATIENCE = 10
# What bash reads of the clock ends with microseconds.
_CLOCK_NS = 1_000

# What dom0 refused at once -> the message, and whether that means that there is no Xen to be had.
REFUSALS = {
    "no-dom0": ("{host} is no Xen dom0 (it has no /dev/xen/privcmd)", Unavailable),
    "permission": ("tracing on {host} needs root there", XentoolError),
    "no-xentrace": ("{host} has no xentrace; Debian's package is xen-utils-common", Unavailable),
    "no-flock": ("{host} has no flock; Debian's package is util-linux", XentoolError),
    "locked": ("another xentool capture is running on {host}; a host can make one at a time", XentoolError),
    "foreign": (
        "{host} is being traced by another program ({rest}); a host can make one trace at a time",
        XentoolError,
    ),
}

# What xentrace prints when it cannot start, the first that fits -> what it means.
START_FAILURES = (
    ("failed to bind to VIRQ", "another program reads the trace buffers of {host}"),
    ("Function not implemented", "the Xen of {host} was built without trace buffers (CONFIG_TRACEBUFFER)"),
    ("Couldn't enable trace buffers", "Xen on {host} has no memory for {pages} trace pages per CPU; ask for fewer"),
    ("Operation not permitted", "Xen on {host} does not permit tracing"),
    ("Permission denied", "tracing on {host} needs root there"),
)


@dataclass(frozen=True)
class Refused:
    """Dom0 did not start a capture."""

    reason: str
    rest: str


@dataclass(frozen=True)
class Ready:
    """All that a capture needs is there; it begins when the client says so."""


@dataclass(frozen=True)
class Started:
    """Records are being made.

    :param pages: 4 KiB pages in the buffer of each CPU
    """

    pages: int


@dataclass(frozen=True)
class Began:
    """Tracing is about to be switched on, by dom0's clock: seconds since the epoch, and the zone's offset from UTC."""

    at_s: float
    utc_offset_s: int


@dataclass(frozen=True)
class Over:
    """Tracing is switched off, by dom0's clock: seconds since the epoch."""

    at_s: float


@dataclass(frozen=True)
class Compared:
    """The time stamp counter, and dom0's clock just before and after it was read: seconds since the epoch."""

    before_s: float
    tsc: int
    after_s: float


@dataclass(frozen=True)
class Used:
    """What the tracer took of dom0's processors, in seconds, while it recorded for so many seconds by dom0's clock."""

    seconds: float
    recorded: float


@dataclass(frozen=True)
class Ended:
    """The capture is over and tracing was put back.

    :param client: what dom0 last knew of the client: recording, stop, gone or silent; killed when dom0's own side was
    :param status: exit status of xentrace, over 128 for a signal
    :param off: whether tracing is known to be disabled
    """

    client: str
    status: int
    off: bool


Status = Refused | Ready | Began | Started | Compared | Used | Over | Ended


def parse(line: str) -> Status | None:
    """Read one line of dom0's stderr; None for what another program printed there."""
    if not line.startswith(PREFIX):
        return None
    found: Status | None = None
    match line.removeprefix(PREFIX).split(maxsplit=2):
        case ["refused", reason, *rest]:
            found = Refused(reason, " ".join(rest).strip())
        case ["ready"]:
            found = Ready()
        case ["started", pages]:
            found = Started(int(pages))
        case ["began", at, zone]:
            found = Began(float(at), _offset(zone))
        case ["clock", before, rest]:
            tsc, after = rest.split()
            found = Compared(float(before), int(tsc), float(after))
        case ["over", at]:
            found = Over(float(at))
        case ["used", ticks, rest]:
            rate, hundredths = rest.split()
            found = Used(int(ticks) / int(rate), int(hundredths) / 100)
        case ["ended", client, rest]:
            status, off = rest.split()
            found = Ended(client, int(status), off == "1")
    return found


def noted(times: Iterable[Began | Compared | Over]) -> Noted | None:
    """Put together what dom0 said of its clock; None where it did not say when the capture began."""
    began, end_ns, pairs = None, None, []
    for one in times:
        match one:
            case Began():
                began = one
            case Over(at_s):
                end_ns = _ns(at_s)
            case Compared(before_s, tsc, after_s):
                half = _ns(abs(after_s - before_s) / 2) + _CLOCK_NS
                pairs.append(Pair(tsc, _ns((before_s + after_s) / 2), half))
    return None if began is None else Noted(_ns(began.at_s), end_ns, began.utc_offset_s, tuple(pairs))


def _ns(seconds: float) -> int:
    return round(seconds * 1e6) * 1000


def _offset(zone: str) -> int:
    # As date's %z writes it: +0530. What a dom0 without time zones says counts as UTC.
    match = re.fullmatch(r"([+-])(\d\d)(\d\d)", zone)
    return 0 if match is None else int(f"{match[1]}{3600 * int(match[2]) + 60 * int(match[3])}")


def start_error(host: str, pages: int, refused: Refused | None, messages: list[str]) -> XentoolError:
    """Return why a capture did not start, from dom0's refusal or else from what xentrace printed."""
    if refused is not None and refused.reason in REFUSALS:
        text, kind = REFUSALS[refused.reason]
        return kind(text.format(host=host, rest=refused.rest))
    for sign, text in START_FAILURES:
        if any(sign in message for message in messages):
            return XentoolError(text.format(host=host, pages=pages))
    if not messages:  # capture.sh always says something
        return Unavailable(f"lost the connection to {host} before records came")
    return XentoolError(f"xentrace did not start on {host}: {messages[-1]}")


def end_error(host: str, ended: Ended | None, messages: list[str]) -> XentoolError | None:
    """Return what went wrong with a capture that had started; None when the client stopped it in order."""
    if ended is None:
        reason = f" ({messages[-1]})" if messages else ""
        return Unavailable(f"lost the connection to {host}{reason}; dom0 puts tracing back within {PATIENCE + 5} s")
    if not ended.off:
        return XentoolError(f"tracing on {host} could not be switched off; `xentrace -X -T 1 /dev/null` there does it")
    if ended.client == "silent":
        return XentoolError(f"{host} ended the capture: it heard nothing from this program for {PATIENCE} s")
    if ended.client == "killed":
        return XentoolError(f"the capture was killed on {host}; the last records are missing")
    if ended.client == "stop" and ended.status == 0:
        return None
    cause = f"it was killed by {_signal(ended.status - 128)}" if ended.status > 128 else f"status {ended.status}"
    return XentoolError(f"xentrace on {host} ended by itself: {cause}; the last records may be missing")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
