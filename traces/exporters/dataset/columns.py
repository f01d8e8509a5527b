"""The columns of the table, and which fields of KVM's events go into them.

byte_offset, tsc, ns, pcpu, domid, vcpu, event, name   as in ``exporters.wide`` and ``exporters.kvm.wide``
domain                      what the domain is called; "domid N" where nobody said
w0 to w6, nr to address     of Xen's records, as in ``exporters.wide``
pid, comm                   of KVM's: the thread that ran
exit_reason to a3           of KVM's events, as in ``exporters.kvm.columns``; but ``kvm_pio_count`` and
                            ``kvm_hypercall_nr``, since ``count`` and ``nr`` are something else
fields                      of KVM's events: fields that have no column, as a JSON object

Types are wide enough for both: a machine of KVM's may have a number above 65535. The file's metadata has ``schema``
(xentool.records/1), ``hz``, ``hz_source`` and ``source``: what the capture is called.
"""

from collections.abc import Callable

from traces.answers import Report
from traces.exporters.columns import COLUMNS as OF_XEN
from traces.exporters.columns import Column
from traces.exporters.kvm.columns import ALWAYS, DOMAIN, Plan, fields_of, fits
from traces.exporters.kvm.columns import RECORD as OF_KVM
from traces.exporters.kvm.groups import Trace

SCHEMA = "xentool.records/1"
#: Columns of hypercalls of Xen's, and the field of KVM's that is called so.
_TAKEN = {"count": "kvm_pio_count", "nr": "kvm_hypercall_nr"}
_REST = "fields"
_WIDE = {"domid": 32}


def _columns() -> tuple[Column, ...]:
    found: dict[str, Column] = {}
    for one in OF_XEN:
        found[one.name] = one._replace(bits=_WIDE.get(one.name, one.bits))
        if one.name == "domid":
            found[DOMAIN] = Column(DOMAIN, 0)
    for one in OF_KVM:
        found.setdefault(one.name, one._replace(nullable=True))
    for one in ALWAYS:
        name = _TAKEN.get(one.name, one.name)
        found.setdefault(name, one._replace(name=name))
    found[_REST] = Column(_REST, 0)
    # As text: pyarrow groups by no categories that differ from piece to piece.
    return tuple(one._replace(coded=bool(one.bits)) for one in found.values())


COLUMNS = _columns()
_OF_EVENTS = {one.name: one for one in COLUMNS if one.name in {_TAKEN.get(each.name, each.name) for each in ALWAYS}}


def told(report: Report, source: str) -> dict[str, str]:
    """Say what a file is.

    :param source: what the capture is called
    """
    clock = report.clock
    return {"schema": SCHEMA, "hz": repr(clock.hz), "hz_source": clock.source, "source": _text(source)}


def called(report: Report) -> Callable[[int], str]:
    """Give what names domains."""
    names = {one.domid: one.name for one in report.domains if one.name} | dict(report.names)
    return lambda domid: _text(names.get(domid) or f"domid {domid}")


def plan(trace: Trace) -> Plan:
    """Say where the fields of a trace of KVM go."""
    layouts = (trace.layouts[event] for event in trace.seen if event in trace.layouts)
    places = {}
    for layout in layouts:
        for name, field in fields_of(layout):
            column = _OF_EVENTS.get(f"{layout.name}_{name}") or _OF_EVENTS.get(name)
            if column is not None and fits(field, column):
                places[layout.name, name] = column
    return Plan(COLUMNS, places, _REST, called(trace.report))


def _text(name: str) -> str:
    # Of names that are no text, Python keeps bytes as halves of characters, which nobody could read.
    return name.encode("utf8", "replace").decode()
