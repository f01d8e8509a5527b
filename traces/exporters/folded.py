"""Where vCPUs' time went, as stacks for flame graphs: ``domain;vcpu;state;exit microseconds``.

The widths are time in run states; of a PVH or HVM guest's running time, what Xen spent on each kind of exit is apart.
Xen does not record how long a PV guest's hypercalls take, so they are part of its running time. A vCPU of KVM's runs in
its guest, its kernel or its process, and the latter two are told by exit where one is known.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from traces.answers import DomainReport, Report, VcpuReport
from traces.exporters.words import unit
from traces.foreign import printable
from traces.table import EventTable


def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
    """Write the stacks of a trace.

    :param report: on what of it is wanted; they are made of it alone
    """
    del tables
    for domain in report.told:
        for vcpu in domain.vcpus:
            for stack, seconds in _stacks(vcpu):
                micros = round(seconds * 1e6)
                if micros > 0:
                    output.write(f"{_frame(domain)};{unit(domain.domid)}{vcpu.vcpu};{stack} {micros}\n".encode())


def _frame(domain: DomainReport) -> str:
    name = _part(domain.name or "")
    return f"{name} (d{domain.domid})" if name else f"d{domain.domid}"


def _part(name: str) -> str:
    # A name may hold what separates frames.
    return printable(name).replace(";", r"\x3b")


def _stacks(vcpu: VcpuReport) -> Iterator[tuple[str, float]]:
    # Where only exits are wanted, or recorded, there is no running time to be without them.
    if not vcpu.runstates:
        yield from ((f"exit {_part(one.name)}", one.seconds) for one in vcpu.exits)
    in_xen = sum(one.seconds for one in vcpu.exits)
    for state, of in vcpu.runstates.items():
        if of.modes:
            yield from _of_thread(vcpu, of.modes)
        elif state == "running":
            yield state, of.seconds - in_xen
            yield from ((f"{state};exit {_part(one.name)}", one.seconds) for one in vcpu.exits)
        else:
            yield state, of.seconds


def _of_thread(vcpu: VcpuReport, modes: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    left = dict(modes)
    for one in vcpu.exits:
        for mode, seconds in (("kernel", one.seconds), ("user", one.user_seconds or 0.0)):
            yield f"running;{mode};exit {_part(one.name)}", seconds
            left[mode] -= seconds
    yield from ((f"running;{mode}", seconds) for mode, seconds in left.items())
