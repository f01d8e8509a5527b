"""Boots what techniques need, one lab after the other, and has the same work done and traced under each."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from traces.analyses.phases.comparison import Comparison, TechniqueCounts
from traces.analyses.phases.per_request import NOTHING, per_request
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.lab import guests, releases, xl_guest
from xentool.lab.comparison import guest as working
from xentool.lab.comparison import serving, traced
from xentool.lab.comparison.techniques import LEFT_OUT, WORKS, Technique, columns
from xentool.lab.down import down
from xentool.lab.guest import Guest
from xentool.lab.hypervisors import KVM, XEN, Hypervisor
from xentool.lab.places import DATA_IN_DOM0
from xentool.lab.progress import SILENT, Progress
from xentool.lab.record import Lab
from xentool.lab.up import up
from xentool.tools import xl
from xentool.tools.tracing import phases
from xentool.tools.tracing.phases import Noted

#: Of phases of each work.
REPEATS = 3
#: Of the lab, and of the guest in it.
_LAB, _GUEST = "compare", "worker"
_DISKS = {"pv": "/dev/xvda", "pvh": "/dev/xvda", "virtio": "/dev/vda", "shadow": "/dev/vda", "emulated": "/dev/sda"}
SUFFIX = ".trace"


def compare(
    names: Sequence[str],
    works: Sequence[str],
    *,
    xen: str = releases.DEFAULT_XEN,
    backends: Sequence[str] = ("kernel",),
    repeats: int = REPEATS,
    keep: Path | None = None,
    progress: Progress = SILENT,
) -> Comparison:
    """Compare techniques by what works take under each.

    :param names: of ``TECHNIQUES``
    :param works: of ``WORKS``
    :param xen: the version of Xen, and with it Debian's
    :param backends: of ``BACKENDS``, which serve disks under Xen
    :param repeats: of phases of each work
    :param keep: a folder in which traces are kept; None forgets them
    :raises XentoolError: a lab did not start; a technique whose guest did not start or work is left out
    """
    chosen = [(NOTHING, 0), *((name, WORKS[name].requests) for name in works)]
    with _folder(keep) as folder:
        made: dict[str, Path] = {}
        left_out = {name: LEFT_OUT[name] for name in names if name in LEFT_OUT}
        for under in (XEN, KVM):
            wanted = [each for each in columns(names, backends) if each.under is under]
            if wanted:
                with _lab(under, xen, progress) as lab, closing(lab.host()) as host:
                    for each in wanted:
                        path = folder / f"{each.name}{SUFFIX}"
                        try:
                            _record(lab, host, each, chosen, repeats, path, progress)
                        except XentoolError as error:
                            # What the others took is worth telling.
                            left_out[each.name] = str(error).splitlines()[0].rstrip(":")
                            progress.step(f"{each.name} is left out: {left_out[each.name]}")
                        else:
                            made[each.name] = path
        return of_traces([made[each.name] for each in columns(names, backends) if each.name in made], left_out)


def of_traces(paths: Sequence[Path], left_out: dict[str, str] | None = None) -> Comparison:
    """Compare traces that were kept.

    :raises XentoolError: one can't be read, or nothing says what its guest did
    """
    noted = [phases.noted_of(path) for path in paths]
    found = [
        TechniqueCounts(each.technique, each.meaning, each.runs, each.backend, works=tuple(per_request(counts)))
        for each, counts in ((each, phases.counted(path, each)) for path, each in zip(paths, noted, strict=True))
    ]
    works = dict.fromkeys(work.work for each in found for work in each.works)
    return Comparison(
        emulated=any(each.emulated for each in noted),
        works={name: WORKS[name].meaning if name in WORKS else "" for name in works},
        techniques=tuple(found),
        left_out=left_out or {},
    )


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="xentool-compare-") as folder:
        yield Path(folder)


@contextmanager
def _lab(under: Hypervisor, xen: str, progress: Progress) -> Iterator[Lab]:
    lab = up(_LAB, hypervisor=under.name, xen=xen, progress=progress)
    try:
        yield lab
    finally:
        down(_LAB, progress)


def _record(
    lab: Lab, host: Host, technique: Technique, works: working.Works, repeats: int, path: Path, progress: Progress
) -> None:
    own = technique.served if technique.served in xl_guest.BACKENDS else "kernel"
    domid = guests.start(Guest(_GUEST, technique.type, workload="shell", marks=True, backend=own), lab.name, progress)
    progress.step(f"{technique.name}: {', '.join(name for name, _ in works[1:])}, {repeats} times each")
    console = lab.under.console(_GUEST)
    try:
        disk = _DISKS[technique.type]
        if technique.served == "ours":
            serving.begin(host, domid)
            disk = serving.DEVICE
        since = working.size(host, console)

        def work() -> working.Works:
            working.begin(host, _address(host), disk, repeats, works)
            return working.finished(host, console, since, lab.qemu_pid)

        hz, vendor = 1e9, None
        if lab.under is XEN:
            info = xl.host_info(host)
            hz, vendor = info.hz, info.vendor
            marked = traced.on_xen(host, path, work)
        else:
            marked = traced.on_kvm(host, domid, path, work)
    finally:
        guests.stop(_GUEST, lab.name)
        if technique.served == "ours":
            serving.end(host)
    kernel = host.run(["uname", "-r"]).stdout.decode().strip()
    about = Noted(
        technique=technique.name,
        meaning=technique.meaning,
        runs=f"{lab.runs}, Linux {kernel}",
        backend=technique.backend,
        emulated=lab.accel == "tcg",
        mode=technique.mode,
        domid=domid,
        vcpus=1,
        hz=hz,
        vendor=vendor,
        works=tuple(marked),
    )
    phases.write(path, about)


def _address(host: Host) -> str:
    number = host.run([f"{DATA_IN_DOM0}/guest-number.sh", _GUEST]).stdout.decode().strip()
    return f"10.77.0.{10 + int(number)}"
