"""A host's clock against this machine's: what rounds say of it, and what a host that says something else is told."""

import subprocess
from collections.abc import Sequence

import pytest

from xentool.errors import PeerError, Unavailable
from xentool.hosts.base import Stream
from xentool.hosts.local import LocalHost
from xentool.tools.tracing.clocks import Round, best, measure
from xentool.tools.tracing.moments import Offset, offset_document, offset_parsed

S, US = 1_000_000_000, 1_000


class _Says(LocalHost):
    """A host on which another script is run."""

    name = "xen1"

    def __init__(self, script: str) -> None:
        self._script = script

    def popen(self, argv: Sequence[str], *, stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
        return super().popen([*argv[:2], self._script], stdin=stdin, stdout=stdout, stderr=stderr)


def test_the_quickest_round_counts() -> None:
    rounds = [
        Round(1000 * S, 40_000 * US, "1060.030000000"),
        Round(1001 * S, 2_000 * US, "1061.001500000"),
        Round(1002 * S, 90_000 * US, "1062.000000000"),
    ]
    # Asked at 1001 and answered by 1001.002, when it was 1061.0015 there.
    assert best(rounds, "xen1") == Offset(60 * S + 500 * US - 1, 1_000 * US + 1)


@pytest.mark.parametrize(
    ("told", "digit_ns"),
    [("1060.5", 10**8), ("1060.500000", 10**3), ("1060", S), ("1060.%N", S), ("1060.500000000 and more", 1)],
)
def test_what_a_clock_does_not_show_is_in_the_error(told: str, digit_ns: int) -> None:
    found = best([Round(1000 * S, 100 * US, told)], "xen1")
    assert found.error_ns == 50 * US + 1 + digit_ns // 2
    half_s = 500_000_000 if ".5" in told else 0
    # The earliest and the latest that it can have been, of an answer that was sent at any time.
    assert found.ns - found.error_ns <= 60 * S + half_s - 100 * US
    assert found.ns + found.error_ns >= 60 * S + half_s + digit_ns - 1


@pytest.mark.parametrize("told", ["", "now", "-5", "\ufffd", "٣", "."])
def test_what_is_no_time(told: str) -> None:
    with pytest.raises(PeerError, match=r"^xen1 does not tell the time: "):
        best([Round(1000 * S, 100 * US, told)], "xen1")


def test_this_machines_clock_is_its_own() -> None:
    found = measure(LocalHost())
    assert abs(found.ns) <= found.error_ns


def test_a_host_that_lies_or_goes_away() -> None:
    with pytest.raises(PeerError, match=r"^xen1 does not tell the time: 'soon'$"):
        measure(_Says("while read -r line; do echo soon; done"))
    with pytest.raises(PeerError, match=r"^xen1 does not tell the time: 'xxx"):
        measure(_Says("head -c 100000 /dev/zero | tr '\\0' x"))
    with pytest.raises(Unavailable, match=r"^xen1 ended a session in which it was to tell the time: no bash here$"):
        measure(_Says("read -r line; echo 1060.5; echo no bash here >&2; exit 127"))


def test_a_document() -> None:
    offset = Offset(-3_600_000_000_123, 1_500_000)
    assert offset_document(offset) == {"offset_s": -3600.000000123, "error_s": 0.0015}
    assert offset_parsed(offset_document(offset)) == offset
    for wrong in ({"offset_s": float("nan"), "error_s": 0}, {"offset_s": 0, "error_s": -1}, {"offset_s": "0"}, {}, 3):
        with pytest.raises((ValueError, KeyError, TypeError)):
            offset_parsed(wrong)
