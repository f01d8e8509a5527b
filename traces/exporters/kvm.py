"""Records of a trace.dat as lines for people and as JSON lines: each event by its fields, as its format names them.

``0.000123456  p0  d1127v0  kvm_exit exit=msr rip=0xffffffff8107e914 ...``. Seconds count from the first record. Fields
that have names in the event's print format have those.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from traces.exporters.words import time
from traces.foreign import printable
from traces.kvm.formats.fields import Field, Layout, value
from traces.kvm.records import Record
from traces.plain import frozen

_NS = 1_000_000_000
_WHO_WIDTH = 9
#: Fields that people read as addresses or masks.
_HEX = frozenset(
    {"rip", "guest_rip", "info1", "info2", "gpa", "fault_address", "error_code", "intr_info", "ecx", "address"}
)
_REASON = "exit_reason"
_AMD = 2


@frozen
class Machines:
    """Who threads are: (domid, vCPU) of each that is a vCPU; names of all threads."""

    vcpus: Mapping[int, tuple[int, int]]
    comms: Mapping[int, str]


class Written:
    """Writes records; its layouts, its clock and its machines are those of one trace.

    :param hz: ticks a second
    :param start: when its first record was made
    """

    def __init__(self, layouts: Mapping[int, Layout], machines: Machines, hz: float, start: int) -> None:
        self._layouts, self._machines, self._hz, self._start = layouts, machines, hz, start
        self._symbols = cache(lambda event, field: layouts[event].symbols(field))

    def text(self, records: Iterable[Record], cpus: int) -> Iterator[str]:
        """Give a line a record.

        :param cpus: how many there are
        """
        width = len(str(max(cpus - 1, 0)))
        for one in records:
            ns = self._ns(one)
            fields = " ".join(f"{name}={shown}" for name, shown in self._shown(one))
            head = f"{time(f'{ns // _NS}.{ns % _NS:09}'):>14}  p{one.cpu:<{width}}  {self._who(one.pid):<{_WHO_WIDTH}}"
            yield f"{head} {self._name(one)} {fields}".rstrip() + "\n"

    def objects(self, records: Iterable[Record]) -> Iterator[str]:
        """Give a line of JSON a record."""
        for one in records:
            domid, vcpu = self._machines.vcpus.get(one.pid, (None, None))
            head: dict[str, Any] = {
                "byte_offset": one.offset,
                "tsc": one.ts,
                "ns": self._ns(one),
                "pcpu": one.cpu,
                "domid": domid,
                "vcpu": vcpu,
                "pid": one.pid,
                "comm": self._machines.comms.get(one.pid),
                "event": one.event,
                "name": self._name(one),
            }
            yield json.dumps({**head, "fields": dict(self._fields(one))}, separators=(",", ":")) + "\n"

    def _ns(self, one: Record) -> int:
        ticks = one.ts - self._start
        return ticks if self._hz == _NS else round(ticks / self._hz * _NS)

    def _who(self, pid: int) -> str:
        if pid in self._machines.vcpus:
            domid, vcpu = self._machines.vcpus[pid]
            return f"d{domid}v{vcpu}"
        return f"t{pid}"

    def _name(self, one: Record) -> str:
        known = self._layouts.get(one.event)
        return printable(known.name) if known else f"event_{one.event}"

    def _fields(self, one: Record) -> Iterator[tuple[str, Any]]:
        known = self._layouts.get(one.event)
        if known is None:
            return
        for field in known.own:
            found = value(field, one.data)
            yield field.name, found.hex() if isinstance(found, bytes) else found
            named = self._named(one, field, found)
            if named is not None:
                yield "exit" if field.name == _REASON else f"{field.name}_name", named

    def _named(self, one: Record, field: Field, found: int | str | bytes) -> str | None:
        if not isinstance(found, int):
            return None
        tables = self._symbols(one.event, field.name)
        if not tables:
            return None
        # Of kvm_exit, Intel's come first, and AMD's behind.
        isa = self._layouts[one.event].fields.get("isa")
        table = tables[-1] if isa is not None and value(isa, one.data) == _AMD else tables[0]
        return table.get(found)

    def _shown(self, one: Record) -> Iterator[tuple[str, str]]:
        fields = dict(self._fields(one))
        for name, found in fields.items():
            if isinstance(found, str):
                yield name, printable(found)
            else:
                yield name, f"{found:#x}" if name in _HEX and found >= 0 else str(found)
