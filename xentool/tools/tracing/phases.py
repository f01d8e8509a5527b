"""Phases of known work in trace files: what was counted in each, and what was noted beside a file about its guest."""

import json
from dataclasses import asdict, dataclass, fields
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from traces.analyses.phases import kvm, xen
from traces.analyses.phases.counts import PhaseCounts
from traces.kvm.formats.reasons import Reasons
from traces.reader import Reader, read
from traces.xen.formats.exits import VENDORS, Vendor
from xentool.errors import PeerError
from xentool.tools.tracing import beside, reports
from xentool.tools.tracing import kvm as kvm_traces
from xentool.tools.tracing.reports import AS_IT_IS

SCHEMA = "xentool.phases/1"
SUFFIX = ".phases.json"
_BYTES_MAX = 1 << 20
_MODES = (*xen.TOLD, "kvm")


@dataclass(frozen=True)
class Noted:
    """What a trace was made of, for whoever compares it.

    :param technique: its name; ``meaning``, ``runs`` and ``backend`` are words about it
    :param emulated: whether processors were
    :param mode: "pv" or "pvh" of Xen, or "kvm"
    :param domid: the guest's, of Xen
    :param hz: the clock's rate, of Xen
    :param vendor: of the processors, of Xen
    :param works: what the guest's marks said, in order: each phase's work and requests; of Xen, which records no words
    """

    technique: str
    meaning: str
    runs: str
    backend: str
    emulated: bool
    mode: str
    domid: int
    vcpus: int
    hz: float
    vendor: Vendor | None
    works: tuple[tuple[str, int], ...]


def write(path: Path, noted: Noted) -> None:
    """Note it beside a trace."""
    _beside(path).write_text(json.dumps({"schema": SCHEMA, **asdict(noted)}, indent=1) + "\n")


def noted_of(path: Path) -> Noted:
    """Read what was noted beside a trace.

    :raises PeerError: nothing was, or something else
    """
    try:
        values = beside.parsed(beside.contents(_beside(path), _BYTES_MAX))
    except FileNotFoundError:
        raise PeerError(f"{path} has no {path.name}{SUFFIX} beside it, which says what its guest did") from None
    except ValueError as error:
        raise PeerError(f"{_beside(path)} is no JSON: {error}") from error
    try:
        return _parsed(values)
    except (KeyError, TypeError, ValueError) as error:
        raise PeerError(f"{_beside(path)} is no {SCHEMA} document") from error


def counted(path: Path, noted: Noted) -> list[PhaseCounts]:
    """Count the phases of a trace.

    :raises PeerError: it is damaged, or not what was noted of it
    :raises XentoolError: it can't be read
    """
    return _of_kvm(path) if noted.mode == "kvm" else _of_xen(path, noted)


def _of_xen(path: Path, noted: Noted) -> list[PhaseCounts]:
    phases = xen.Phases(noted.domid, noted.mode, noted.vcpus, noted.works, noted.hz, noted.vendor or "intel")
    with reports.opened(path) as file:
        found = list(phases.feed(read(file, Reader())))
    # The last one says that all is done.
    expected = 2 * len(noted.works) + 1
    if phases.marks != expected:
        raise PeerError(f"{path} has {phases.marks} marks where the guest made {expected}: nobody knows which is which")
    return found


def _of_kvm(path: Path) -> list[PhaseCounts]:
    with reports.opened(path) as source:
        file = cast(BufferedReader, source)
        known = kvm_traces.read(file, str(path), AS_IT_IS)
        machines = {machine for machine, _ in known.vcpus.values()}
        if len(machines) != 1:
            raise PeerError(f"{path} is of {len(machines)} machines, and phases are of one")
        reasons, amd = Reasons(known.trace.layouts.values()), known.report.exits.vendor == "amd"
        others = {pid for process in known.trace.processes for pid in process.threads} - set(known.vcpus)
        phases = kvm.Phases(lambda reason: reasons.name(reason, amd=amd), known.vcpus, others, known.report.clock.hz)
        file.seek(0)
        return list(phases.feed(event for table in kvm_traces.tables(file, known) for event in kvm.events(table)))


def _beside(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)


def _parsed(values: Any) -> Noted:  # noqa: ANN401 - whatever JSON holds
    if values["schema"] != SCHEMA or values["mode"] not in _MODES or values["vendor"] not in (*VENDORS, None):
        raise ValueError
    told = {field.name: values[field.name] for field in fields(Noted)}
    for name in ("technique", "meaning", "runs", "backend"):
        if not isinstance(told[name], str):
            raise TypeError(name)
    works = tuple((_text(name), _whole(requests)) for name, requests in told["works"])
    numbers = {name: _whole(told[name]) for name in ("domid", "vcpus")}
    hz = float(told["hz"])
    if not hz > 0:
        raise ValueError
    return Noted(**{**told, **numbers, "hz": hz, "works": works, "emulated": told["emulated"] is True})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 31:
        raise ValueError
    return value
