"""Records a bundle: a trace, and what its host says of itself, for whoever is to read it elsewhere."""

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from traces.choice.where import Kinds
from xentool import __version__
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools.outputs import replaced
from xentool.tools.tracing import bundle, sidecar
from xentool.tools.tracing.lead import ALONE, Lead
from xentool.tools.tracing.record import Progress, Recording, record
from xentool.tools.tracing.sidecar import Sidecar

#: What people look at first when they are asked for help; a command that fails says so in its file.
_SAID = {
    "xl-info.txt": ("xl", "info"),
    "xl-vcpu-list.txt": ("xl", "vcpu-list"),
    "console-ring.txt": ("xl", "dmesg"),
    "versions.txt": ("sh", "-c", "uname -srvm; cat /etc/os-release"),
}
#: Bytes of each that are kept, its last ones; a console ring of Xen's has 16 KiB, or what its command line says.
_TEXT_MAX = 4 << 20


def record_bundle(
    host: Host,
    path: Path,
    kinds: Kinds,
    *,
    domain: str | None,
    seconds: float | None,
    buffer_pages: int,
    progress: Progress,
    known: Callable[[Sidecar], None] = lambda _sidecar: None,
    lead: Lead = ALONE,
) -> Recording:
    """Record as `record` does, and leave a bundle at ``path``, all of it or none.

    :raises XentoolError: see `record`; what had been recorded by then is in the bundle all the same
    """
    told: list[Sidecar] = []

    def hear(about: Sidecar) -> None:
        told.append(about)
        known(about)

    with _raw(path) as raw:
        failed: XentoolError | None = None
        try:
            done = record(
                host,
                nullcontext(raw),
                kinds,
                domain=domain,
                seconds=seconds,
                buffer_pages=buffer_pages,
                progress=progress,
                known=hear,
                lead=lead,
            )
        except XentoolError as error:
            if not told:
                raise
            failed = error
        texts = {bundle.SIDECAR: sidecar.text(told[-1]).encode()} | ({} if failed else facts(host))
        with replaced(path) as target:
            bundle.write(target, raw, texts)
        if failed:
            raise failed
        return done


def facts(host: Host) -> dict[str, bytes]:
    """Ask a host what it says of itself, as files of a bundle."""
    said = {}
    for name, argv in _SAID.items():
        done = host.run(argv, check=False)
        told = f"{' '.join(argv)} ended with {done.returncode}\n".encode() if done.returncode else b""
        said[name] = (told + done.stdout + (done.stderr if done.returncode else b""))[-_TEXT_MAX:]
    said["versions.txt"] = f"xentool {__version__}\n".encode() + said["versions.txt"]
    return said


def _raw(path: Path) -> IO[bytes]:
    # Beside the bundle, where there is room for it.
    try:
        return tempfile.TemporaryFile(dir=path.parent)
    except OSError as error:
        raise XentoolError(f"cannot write {path}: {error.strerror}") from error
