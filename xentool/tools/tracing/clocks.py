"""A host's clock against this machine's, measured over the connection that commands take.

A host tells the time between a question and its answer, whatever the way there and back took: so the offset is known to
half of what both took, and the quickest of some rounds knows it best.
Ref: F. Cristian, "Probabilistic clock synchronization", Distributed Computing 3 (1989)
"""

import re
import subprocess
import time
from collections.abc import Iterable

from traces.plain import frozen
from xentool.errors import PeerError, Unavailable
from xentool.hosts import Host
from xentool.hosts.base import last_line
from xentool.tools.tracing.moments import Offset

ROUNDS = 8
#: Answers each line with the seconds since the epoch. Bash 5 needs no process for it, and so less time.
_SCRIPT = """
export LC_ALL=C
tell='while read -r line; do echo "${EPOCHREALTIME:-$(date +%s.%N)}"; done'
if command -v bash >/dev/null; then exec bash -c "$tell"; fi
eval "$tell"
"""
#: A `date` that knows no nanoseconds prints something else behind the dot, or nothing.
_TIME = re.compile(r"(\d{1,11})(?:\.(\d{1,9}))?", re.ASCII)
_LINE_MAX = 64
_NS = 1_000_000_000


@frozen
class Round:
    """A question, and what it was answered.

    :param asked_ns: by this machine's clock, since the epoch
    :param took_ns: until the answer was here
    :param told: the line that came
    """

    asked_ns: int
    took_ns: int
    told: str


def measure(host: Host) -> Offset:
    """Ask a host for the time, some times, over one connection.

    :raises PeerError: it says something else
    :raises Unavailable: it cannot be reached, or goes away
    """
    pipe = subprocess.PIPE
    process = host.popen(["sh", "-c", _SCRIPT], stdin=pipe, stdout=pipe, stderr=pipe)
    with process:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise Unavailable(f"{host.name} gave no pipes")
        rounds = []
        for _ in range(ROUNDS):
            asked_ns, began = time.time_ns(), time.monotonic_ns()
            try:
                process.stdin.write(b"\n")
            except BrokenPipeError:
                break
            line = process.stdout.readline(_LINE_MAX)
            if not line:
                break
            rounds.append(Round(asked_ns, time.monotonic_ns() - began, line.decode("ascii", "replace").strip()))
        process.stdin.close()
        if len(rounds) < ROUNDS:
            reason = last_line(process.stderr.read()) or "it gave no reason"
            raise Unavailable(f"{host.name} ended a session in which it was to tell the time: {reason}")
    return best(rounds, host.name)


def best(rounds: Iterable[Round], host: str) -> Offset:
    """Give the offset of the round that knows it best.

    :param host: for messages
    :raises PeerError: an answer is no time
    """
    return min((_offset(one, host) for one in rounds), key=lambda one: one.error_ns)


def _offset(one: Round, host: str) -> Offset:
    match = _TIME.match(one.told)
    if match is None:
        raise PeerError(f"{host} does not tell the time: {one.told!r:.80}")
    digits = match[2] or ""
    # It was that time, or later by less than the last digit.
    digit_ns = 10 ** (9 - len(digits))
    told_ns = int(match[1]) * _NS + int(digits or 0) * digit_ns
    half_ns = one.took_ns // 2 + 1
    return Offset(told_ns + digit_ns // 2 - one.asked_ns - half_ns, half_ns + digit_ns // 2)
