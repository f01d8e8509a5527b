"""How values read to people, the same in text and on a page."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from traces.account import UNKNOWN_DOMID
from traces.answers import DomainReport, Report
from traces.counting.clock import Clock
from traces.exporters.sources import words_of
from traces.foreign import printable
from traces.plural import plural

#: What a report calls each of its latencies.
LATENCIES = {"wake_to_run": "wake to run", "preempted_to_run": "preempted", "exits": "VM exit"}

#: What the vCPUs of a domain are together, and what that means; in the order in which it is told.
CONTENTION = {
    "full_run": "all run",
    "partial_run": "some run, the others have nothing to do",
    "concurrency_hazard": "some run while others wait for a pCPU: a lock's holder may be among these",
    "partial_contention": "none runs, some wait for a pCPU",
    "full_contention": "all wait for a pCPU",
    "blocked": "all have nothing to do",
    "lost": "not known",
}

#: Before times that rest on an assumed clock.
ASSUMED = "~"
_MARK: ContextVar[str] = ContextVar("mark", default="")
#: pCPUs whose clocks' differences are told.
_APART_TOLD = 4
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def who(domid: int, report: Report) -> str:
    """Name a domain: the name that the host gives it, or its number."""
    return "nobody known" if domid == UNKNOWN_DOMID else printable(report.names.get(domid) or f"d{domid}")


def called(domain: DomainReport) -> str:
    """Name a domain where its number is told besides."""
    return printable(domain.name or f"{words_of(domain.mode).nameless} {domain.domid}")


def unit(domid: int) -> str:
    """Say what the numbers of a domain's vCPUs stand for: "v", or "p" for pCPUs where nobody says whose they are."""
    return "p" if domid == UNKNOWN_DOMID else "v"


def run_state(name: str, report: Report) -> str:
    """Name a run state: what nobody knows was lost only where run states are recorded."""
    return "not known" if name == "lost" and not report.run_states else name


@contextmanager
def marked(clock: Clock) -> Iterator[None]:
    """Mark all times and rates that are told within, where the clock's rate is assumed."""
    before = _MARK.set(ASSUMED if clock.assumed else "")
    try:
        yield
    finally:
        _MARK.reset(before)


def time(text: str) -> str:
    """Give what is told of a time, with the mark."""
    return _MARK.get() + text


def seconds(value: float, digits: int = 3) -> str:
    """Say how many seconds, with a fixed number of digits, for columns."""
    return time(f"{value:.{digits}f} s")


def rate(count: int, span_s: float) -> str:
    """Say how often a second; a dash where no time passed."""
    return time(f"{count / span_s:,.0f}") if span_s else "-"


def lost_rate(report: Report) -> float | None:
    """Give how many records were lost a second; None where the report does not span the whole trace."""
    return None if report.where.timed or not report.span_s else report.account.lost_records / report.span_s


def skew_doubt(report: Report) -> str | None:
    """Say by how much clocks of pCPUs differ, and what that makes of the report; None where they don't."""
    skew = report.skew
    if skew is None:
        return None
    contradict = "contradicts" if skew.contradictions == 1 else "contradict"
    found = f"{plural(skew.contradictions, 'change')} of run states {contradict} what was known of the vCPU"
    if not skew.of_clocks:
        return (
            f"{found}: some were not recorded (were all pCPUs?), or clocks of pCPUs differ by a good part of the trace."
        )
    if not skew.shifts:
        why = (
            "no constant difference explains them"
            if skew.looked_for
            else "only a file is read again to find by how much"
        )
        return (
            f"The clocks of pCPUs differ: {found}; {why}. "
            "Run states, waits, migrations and all order between pCPUs are doubtful."
        )
    first, *others = sorted(skew.shifts)
    ahead = {pcpu: skew.shifts[first] - skew.shifts[pcpu] for pcpu in others}
    apart = [(pcpu, cycles) for pcpu, cycles in ahead.items() if cycles]
    told = [
        f"pCPU {pcpu}'s {duration(report.clock.seconds(abs(by)))} {'ahead of' if by > 0 else 'behind'} {first}'s"
        for pcpu, by in apart[:_APART_TOLD]
    ]
    told += [f"{len(apart) - _APART_TOLD} more"] if len(apart) > _APART_TOLD else []
    return (
        f"The clocks of pCPUs differ, {', '.join(told)}: {found}. Corrected by that, {skew.left:,} are left; "
        "times between pCPUs are estimates."
    )


def duration(seconds: float, digits: int = 3) -> str:
    """Say how long something took, in the unit that makes the digits readable."""
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    value = seconds / size
    return time(f"{value:.{max(digits - len(str(int(value))), 0)}f} {unit}")


def exit_doubt(report: Report) -> str:
    """Say whose VM exits a report takes them for, where that is in doubt, and what to do."""
    names = {"intel": "Intel's", "amd": "AMD's"}
    return f"They have {names[report.exits.vendor]} names; --vendor intel or amd decides."


def recorded(report: Report) -> str | None:
    """Say when what is reported on was recorded: from and to, by which clock; None where that is not known."""
    if report.recorded is None:
        return None
    begin = round(report.where.begin * 1e9)
    texts = [report.recorded.text(ns) for ns in (begin, begin + round(report.span_s * 1e9))]
    if None in texts:
        return None
    first, last = (f"{text}".replace("T", " ") for text in texts)
    stamp, zone = len("2000-01-01 00:00:00.000"), len("2000-01-01 ")
    last = last[zone:stamp] if last[:zone] == first[:zone] else last[:stamp]
    error = duration(report.recorded.error_ns / 1e9, 2)
    return f"{first[:stamp]} to {last}, {first[stamp:]} (by dom0's clock, ±{error})"


def not_recorded(report: Report) -> str:
    """Say why it is not known when it was recorded; nothing of KVM's traces, which rarely tell."""
    if not words_of(report.source).noted:
        return ""
    if not report.noted:
        return "Nobody noted when it was recorded; `xentool record` does"
    if any(one.code == "clock_restart" for one in report.account.diagnostics):
        return "When it was recorded is not known: its clock began anew, and what was noted is of one run"
    return "When it was recorded is not known: what was noted does not fit it"


def clock_rate(clock: Clock) -> str:
    """Say how fast the clock ticks."""
    return f"{clock.hz / 1e9:.4f} GHz"


def clock_source(clock: Clock) -> str:
    """Say who says so, and with which error."""
    if clock.assumed and clock.error:
        return f"±{clock.error:.1%}, assumed: the trace tells no more; {ASSUMED} marks times"
    return {
        "trace": f"±{_percent(clock.error or 0)}, found in the trace",
        "option": "as given",
        "host": "as the host says",
        "default": f"assumed: the trace does not tell; {ASSUMED} marks times",
    }[clock.source]


def _percent(share: float) -> str:
    # Never 0: two digits that count.
    return f"{share:.{max(3, 1 - math.floor(math.log10(share)) - 2)}%}" if share > 0 else "0%"
