"""Traces a guest of a lab while it does its work."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from traces.choice.where import Kinds
from traces.errors import TraceError
from traces.kvm.live import Live
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.lab.comparison.guest import Works
from xentool.tools.tracing.capture import Capture
from xentool.tools.tracing.tracefs.capture import Recorder
from xentool.tools.tracing.tracefs.kept import Kept

#: 4 KiB pages of Xen's buffer a processor: a busy emulated dom0 empties it late.
_BUFFER_PAGES = 2048
_BUFFER_KIB = 4 * _BUFFER_PAGES


class _Recording(Protocol):
    def chunks(self) -> Iterator[bytes]: ...
    def stop(self) -> None: ...


def on_xen(host: Host, path: Path, work: Callable[[], Works]) -> Works:
    """Record a host of Xen while a guest works; give the phases that it marked.

    :param path: where the records go
    """
    with Capture(host, Kinds().mask, _BUFFER_PAGES) as capture, path.open("wb") as output:
        return _while(capture, output.write, work)


def on_kvm(host: Host, pid: int, path: Path, work: Callable[[], Works]) -> Works:
    """Record a machine of a KVM host while its guest works; give the phases that it marked.

    :param pid: of the machine's process
    :param path: where a trace.dat goes
    """
    live = Live()
    with Recorder(host, pid, buffer_kib=_BUFFER_KIB) as recorder, Kept(path, live) as kept:

        def take(chunk: bytes) -> None:
            kept.write(chunk)
            live.feed(chunk)

        works = _while(recorder, take, work)
        live.finish()
    return works


def _while(recording: _Recording, take: Callable[[bytes], object], work: Callable[[], Works]) -> Works:
    failed: list[Exception] = []

    def drain() -> None:
        try:
            for chunk in recording.chunks():
                take(chunk)
        except (XentoolError, TraceError, OSError) as error:
            failed.append(error)

    draining = threading.Thread(target=drain, name="xentool-compare-records")
    draining.start()
    try:
        works = work()
    finally:
        recording.stop()
        draining.join()
    if failed:
        raise failed[0]
    return works
