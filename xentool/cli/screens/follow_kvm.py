"""A running trace of a machine of KVM's, record by record: the lines of ``xentool dump`` while they are made."""

import sys

from traces.analyses import kvm
from traces.exporters.kvm.groups import Trace
from traces.exporters.kvm.lines import Lines
from traces.plain import replace
from xentool.tools.tracing.tracefs.trace import Running


class Follow:
    """Writes a trace's records on stdout, in order of time: a line each, or a JSON object.

    All that is recorded is of the machine's threads, so that those which run no vCPU are listed, too.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._lines: Lines | None = None

    def show(self, running: Running, _chunk: bytes) -> None:
        """Write what was counted since the last call."""
        live = running.live
        for table in live.tables(kvm.vcpus(live.counts, live.trace)):
            self._lines = self._lines or self._made(running)
            sys.stdout.write("".join(self._lines.of(table)))
        sys.stdout.flush()

    def _made(self, running: Running) -> Lines:
        trace = running.live.trace
        where = running.where if running.where.vcpus else replace(running.where, domid=None)
        report = replace(running.report, where=where)
        return Lines(Trace(report, trace.layouts, trace.comms, frozenset()), as_json=self._as_json)
