"""What capture.sh says of a recording, and what that means to the user. No I/O."""

from traces.plain import frozen
from xentool.errors import Unavailable, XentoolError
from xentool.tools.tracing.capture_status import PATIENCE, PREFIX

#: What a host refused at once -> the message, and whether that means that there is no KVM to be had.
REFUSALS = {
    "permission": ("tracing on {host} needs root there", XentoolError),
    "no-tracefs": (
        "{host} has no tracefs; `mount -t tracefs tracefs /sys/kernel/tracing` there gives it one",
        XentoolError,
    ),
    "no-kvm": ("the kernel of {host} has no events of KVM: is its module loaded?", Unavailable),
    "no-instance": ("the kernel of {host} gives no trace buffers of our own: {rest}", XentoolError),
    "gone": ("the machine has ended on {host}", XentoolError),
}

#: Seconds since the epoch: what lies beyond is no date that Python has.
_LAST_S = 253402300800.0


@frozen
class Refused:
    """The host did not begin."""

    reason: str
    rest: str


@frozen
class Ready:
    """All that a recording needs is there; it begins when the client says so."""


@frozen
class Began:
    """Recording is about to begin, by the host's clock: a date in seconds since the epoch, and its zone (+0100)."""

    at: str
    zone: str

    @property
    def seconds(self) -> float | None:
        """Seconds since the epoch; None where a host says something else."""
        try:
            at = float(self.at)
        except ValueError:
            return None
        return at if 0 <= at < _LAST_S else None


@frozen
class Started:
    """The stream is about to begin."""


@frozen
class Over:
    """Recording is switched off: by the host's clock, and so many seconds after it began."""

    at: str
    seconds: float


@frozen
class Ended:
    """All is over.

    :param client: what the host last knew of the client: stop, gone, silent; killed when its own side was; or "over"
        where the machine ended
    :param left: the instance that could not be removed
    """

    client: str
    left: str | None


Status = Refused | Ready | Began | Started | Over | Ended


def parse(line: str) -> Status | None:
    """Read one line of the host's stderr; None for what another program printed there."""
    if not line.startswith(PREFIX):
        return None
    found: Status | None = None
    match line.removeprefix(PREFIX).split(maxsplit=2):
        case ["refused", reason, *rest]:
            found = Refused(reason, " ".join(rest))
        case ["ready"]:
            found = Ready()
        case ["began", at, zone]:
            found = Began(at, zone)
        case ["started"]:
            found = Started()
        case ["over", at, hundredths]:
            found = Over(at, int(hundredths) / 100)
        case ["ended", client, *left]:
            found = Ended(client, left[0] if left else None)
    return found


def start_error(host: str, refused: Refused | None, messages: list[str]) -> XentoolError:
    """Return why a recording did not start, from the host's refusal or else from what was printed there."""
    if refused is not None and refused.reason in REFUSALS:
        text, kind = REFUSALS[refused.reason]
        return kind(text.format(host=host, rest=refused.rest or (messages[-1] if messages else "it says no more")))
    if not messages:
        return Unavailable(f"lost the connection to {host} before records came")
    return XentoolError(f"recording did not start on {host}: {messages[-1]}")


def end_error(host: str, ended: Ended | None, messages: list[str]) -> XentoolError | None:
    """Return what went wrong with a recording that had started; None when it ended in order."""
    if ended is None:
        reason = f" ({messages[-1]})" if messages else ""
        return Unavailable(f"lost the connection to {host}{reason}; it stops recording within {PATIENCE + 5} s")
    if ended.left is not None:
        return XentoolError(f"{host} could not remove {ended.left}, which keeps memory; `rmdir` there does it")
    if ended.client == "silent":
        return XentoolError(f"{host} ended the recording: it heard nothing from this program for {PATIENCE} s")
    if ended.client in ("stop", "over"):
        return None
    return XentoolError(f"the recording was killed on {host}; the last records are missing")
