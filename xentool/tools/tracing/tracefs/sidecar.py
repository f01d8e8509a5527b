"""What the host said of a recording, in a small JSON file beside it: for people, and programs without our option."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from traces.kvm.live import Live
from xentool.errors import XentoolError
from xentool.tools.tracing.moments import Offset, offset_document
from xentool.tools.tracing.sidecar import path_of
from xentool.tools.tracing.tracefs.capture import Recorder

SCHEMA = "xentool.kvm.capture/1"


def write(capture: Path, host: str, live: Live, recorder: Recorder, clock: Offset | None) -> None:
    """Write the sidecar of a trace.dat.

    :param clock: the host's, if it was measured
    :raises XentoolError: it cannot be written
    """
    trace = live.trace
    document = {
        "schema": SCHEMA,
        "host": host,
        "kernel": trace.kernel,
        "command": ["xentool", *sys.argv[1:]],
        "begin": recorder.began and _date(recorder.began.at),
        "end": recorder.over and _date(recorder.over.at),
        "clock": clock and offset_document(clock),
        "machines": [
            {
                "pid": one.pid,
                "name": one.name,
                "threads": [{"tid": tid, "name": trace.comms.get(tid)} for tid in sorted(one.threads)],
            }
            for one in trace.processes
        ],
    }
    try:
        path_of(capture).write_text(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise XentoolError(f"cannot write {path_of(capture)}: {error.strerror}") from error


def _date(told: str) -> str | None:
    try:
        return datetime.fromtimestamp(float(told), UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
