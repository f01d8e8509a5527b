"""A running trace, record by record: the lines of ``xentool dump`` while they are made."""

import sys

from traces.answers import UNKNOWN
from traces.counting.clock import Clock
from traces.exporters import dump, jsonl
from traces.exporters.details import Naming
from traces.exporters.dump import Paint
from traces.exporters.rows import Chooser
from traces.exporters.words import marked
from traces.reader import Reader
from traces.symbols import Symbols
from traces.xen.formats.event import release
from xentool.tools.tracing.trace import Running

#: With so many times the bytes the evidence may say something else.
_MORE = 1.1


class Follow:
    """Writes a trace's records on stdout, in order of time: a line each, or a JSON object."""

    def __init__(self, paint: Paint, *, as_json: bool, symbols: Symbols | None = None) -> None:
        self._paint = paint
        self._as_json = as_json
        self._symbols = symbols
        self._reader = Reader()
        self._chooser: Chooser | None = None
        self._exits = UNKNOWN
        #: Bytes so far, and by how many of them whose VM exits these are is weighed again.
        self._read = self._weighed_at = 0

    def show(self, running: Running, chunk: bytes) -> None:
        """Write what is complete with the next bytes of the trace; all of it when there are none."""
        with marked(Clock(running.hz, "default" if running.assumed else "trace")):
            self._show(running, chunk)

    def _show(self, running: Running, chunk: bytes) -> None:
        tables = self._reader.feed(chunk) if chunk else self._reader.finish()
        self._chooser = self._chooser or Chooser(running.where, running.hz, timing=True)
        self._read += len(chunk)
        if self._read >= self._weighed_at:
            # A trace may have as many kinds of exits as there is room for: not all of them for each chunk.
            self._exits, self._weighed_at = running.exits, round(self._read * _MORE)
        naming = Naming(self._exits, release(running.xen_version), self._symbols)
        for table in tables:
            for part, ns in self._chooser.of(table):
                if self._as_json:
                    lines = jsonl.lines(part, ns, naming, self._chooser.took)
                else:
                    lines = dump.lines(part, ns, naming, paint=self._paint, took=self._chooser.took)
                sys.stdout.write("".join(lines))
        sys.stdout.flush()
