"""The stats model from xl, and from a trace of the host meanwhile: how many hypercalls each domain makes."""

import contextlib
import threading
from collections import Counter
from dataclasses import replace

from traces.choice.where import kinds
from traces.scan import Scan
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools.domains.stats import Sample
from xentool.tools.domains.xl_stats import XlToolstack
from xentool.tools.tracing.capture import Capture
from xentool.tools.tracing.remote import PUT_BACK

#: What adds to a domain's hypercalls, and what went on after a preemption and is none of its own. A multicall is one.
_CALLS = (("hypercalls", 1), ("restarts", -1))


class TracedToolstack(XlToolstack):
    """What xl says on a host that is traced until `close`.

    :raises XentoolError: the host cannot be traced (see `Capture`); from `sample` also when that has ended
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._scan = Scan()
        self._held = threading.Lock()
        self._error: XentoolError | None = None
        self._open = contextlib.ExitStack()
        self._open.callback(host.close)
        try:
            self._capture = self._open.enter_context(Capture(host, kinds("hypercall").mask))
        except BaseException:
            self._open.close()
            raise
        self._thread = threading.Thread(target=self._read, name="xentool-top-trace", daemon=True)
        self._thread.start()

    def sample(self, *, details: bool = True) -> Sample:
        """Return all domains with what xl and the trace say of them."""
        sample = super().sample(details=details)
        with self._held:
            if self._error:
                raise self._error
            made: Counter[int] = Counter()
            for table, sign in _CALLS:
                for (domid, _), _, count, *_ in self._scan.items(table):
                    made[domid] += sign * count
            lost = self._scan.account.lost_records
        return replace(sample, hypercalls=made, lost_records=lost)

    def close(self) -> None:
        """Switch tracing off, and end the connection to the host."""
        with self._open:
            self._capture.stop()
            self._thread.join(PUT_BACK)

    def _read(self) -> None:
        try:
            for chunk in self._capture.chunks():
                with self._held:
                    self._scan.feed(chunk)
        except XentoolError as error:
            with self._held:
                self._error = error
