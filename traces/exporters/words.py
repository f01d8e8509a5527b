"""How values read to people, the same in text and on a page."""

from traces.account import UNKNOWN_DOMID
from traces.analyses.clock import Clock
from traces.analyses.report import DomainReport, Report
from traces.foreign import printable

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

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def who(domid: int, report: Report) -> str:
    """Name a domain: the name that the host gives it, or its number."""
    return "nobody known" if domid == UNKNOWN_DOMID else printable(report.names.get(domid) or f"d{domid}")


def called(domain: DomainReport) -> str:
    """Name a domain where its number is told besides."""
    return printable(domain.name or f"Domain {domain.domid}")


def unit(domid: int) -> str:
    """Say what the numbers of a domain's vCPUs stand for: "v", or "p" for pCPUs where nobody says whose they are."""
    return "p" if domid == UNKNOWN_DOMID else "v"


def rate(count: int, span_s: float) -> str:
    """Say how often a second; a dash where no time passed."""
    return f"{count / span_s:,.0f}" if span_s else "-"


def lost_rate(report: Report) -> float | None:
    """Give how many records were lost a second; None where the report does not span the whole trace."""
    return None if report.where.timed or not report.span_s else report.account.lost_records / report.span_s


def duration(seconds: float, digits: int = 3) -> str:
    """Say how long something took, in the unit that makes the digits readable."""
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    value = seconds / size
    return f"{value:.{max(digits - len(str(int(value))), 0)}f} {unit}"


def exit_doubt(report: Report) -> str:
    """Say whose VM exits a report takes them for, where that is in doubt, and what to do."""
    names = {"intel": "Intel's", "amd": "AMD's"}
    return f"They have {names[report.exits.vendor]} names; --vendor intel or amd decides."


def recorded(report: Report) -> str | None:
    """Say when what is reported on was recorded: from and to, by which clock; None where nobody noted it."""
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


def clock_rate(clock: Clock) -> str:
    """Say how fast the clock ticks."""
    return f"{clock.hz / 1e9:.4f} GHz"


def clock_source(clock: Clock) -> str:
    """Say who says so, and with which error."""
    return {
        "trace": f"±{clock.error or 0:.3%}, found in the trace",
        "option": "as given",
        "host": "as the host says",
        "default": "assumed: the trace does not tell",
    }[clock.source]
