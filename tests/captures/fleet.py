"""Make the captures of a fleet in the lab: 26 of each Xen, of which three are sick, for `xentool fleet report`.

python -m tests.captures.fleet FOLDER [XEN...]

Four guests run all the time, two PV and two PVH: web pings its host, db reads and writes its disk, build starts
processes, mail does all three. Each capture takes two seconds of all domains. Three are sick:

- 4.17/08, steal: build and mail compute for nothing, on one pCPU, where web is as well, of little weight;
- 4.17/17, storm: web reads its disk, sector by sector;
- 4.20/12, lost: nobody takes records out of Xen's buffers for most of the time.

On a busy machine a lab made 24 in eight minutes. Captures that are there are kept: who stops it can go on later. A
starved lab hides the steal: its healthy guests wait as long.
"""

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from traces.choice.where import Kinds
from xentool.hosts import Host
from xentool.hosts.resolve import resolve
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.record import record as recorded

LAB = "fleet"
SECONDS = 2.0
EACH = 26
#: Of Xen's buffer per pCPU: some seconds of usual records, and less than comes while nobody takes them.
PAGES = 64
#: Their types.
GUESTS = {"web": "pv", "db": "pvh", "build": "pv", "mail": "pvh"}
_NET = "while :; do ping -q -s 1400 -c 100 -i 0.05 10.77.0.1 >/dev/null || sleep 1; done"
_DISK = (
    "while :; do dd if=/dev/zero of=/dev/xvda bs=4k count=24 oflag=direct conv=notrunc 2>/dev/null;"
    " dd if=/dev/xvda of=/dev/null bs=16k count=12 iflag=direct 2>/dev/null; usleep 200000; done"
)
_FORK = "while :; do for _ in 1 2 3 4; do /bin/busybox true; done; usleep 200000; done"
#: What each does at once, as the lab's own guests do: pauses leave an emulated machine half idle.
WORK: Mapping[str, Sequence[str]] = {"web": [_NET], "db": [_DISK], "build": [_FORK], "mail": [_NET, _DISK, _FORK]}
_COMPUTE = "while :; do :; done"
_SECTORS = "while :; do dd if=/dev/xvda of=/dev/null bs=512 count=4000 iflag=direct 2>/dev/null; done"
#: Seconds for which a sickness is there before it is recorded; and of which, for how long, a tracer is stopped.
_BEFORE, _RUNS, _STOPPED = 1.0, 0.3, 1.5
_STOP = (
    f"until busybox pidof xentrace >/dev/null; do sleep 0.05; done; sleep {_RUNS};"
    f" kill -STOP $(busybox pidof xentrace); sleep {_STOPPED}; kill -CONT $(busybox pidof xentrace)"
)
#: Whether somebody runs that: Debian 13's busybox has no pgrep.
_WAITS = "grep -qzs '^until busybox pidof' /proc/[0-9]*/cmdline"


def lab(*words: str) -> None:
    """Run a command on labs."""
    subprocess.run([sys.executable, "-m", "xentool", "lab", *words, "--name", LAB], check=True)


def tell(host: Host, guest: str, script: str) -> None:
    """Have a guest's shell do something."""
    address = f"$(grep -o '10\\.77\\.0\\.[0-9]*' /var/lib/xentool/{guest}.cfg | head -1)"
    host.run(["sh", "-c", f"busybox nc {address} 7000"], input=f"{script}\n".encode())


def begin(host: Host, guest: str, work: str) -> None:
    """Have a guest do something, beside what it does; ``end`` ends that which began last."""
    script = f"echo $$ >/last; {work}"
    tell(host, guest, f"setsid sh -c {shlex.quote(script)} </dev/null >/dev/null 2>&1 &")


def end(host: Host, guest: str) -> None:
    """End what a guest began last."""
    tell(host, guest, "kill -9 -$(cat /last)")


@contextmanager
def stolen(host: Host) -> Iterator[None]:
    """Have two guests want all of one pCPU, and a third, that counts for less, some of it."""
    for guest in ("web", "build", "mail"):
        host.run(["xl", "vcpu-pin", guest, "0", "1"])
    host.run(["xl", "sched-credit2", "-d", "web", "-w", "1"])
    for guest in ("build", "mail"):
        begin(host, guest, _COMPUTE)
    time.sleep(_BEFORE)
    yield
    for guest in ("build", "mail"):
        end(host, guest)
    host.run(["xl", "sched-credit2", "-d", "web", "-w", "256"])
    for guest in ("web", "build", "mail"):
        host.run(["xl", "vcpu-pin", guest, "0", "all"])
    time.sleep(_BEFORE)


@contextmanager
def stormed(host: Host) -> Iterator[None]:
    """Have a guest notify its disk's backend of one sector after the other."""
    begin(host, "web", _SECTORS)
    time.sleep(_BEFORE)
    yield
    end(host, "web")
    time.sleep(_BEFORE)


@contextmanager
def lost(host: Host) -> Iterator[None]:
    """Have the next tracer stand still for most of the time."""
    # By a way of its own: this process waits for the tracer meanwhile.
    words = [sys.executable, "-m", "xentool", "lab", "run", "--name", LAB, "sh", "-c", _STOP]
    with subprocess.Popen(words) as stopping:
        # It waits for the tracer, and so has to be there first.
        while host.run(["sh", "-c", _WAITS], check=False).returncode:
            time.sleep(0.2)
        yield
    if stopping.returncode:
        raise SystemExit("the tracer was not stopped")


@contextmanager
def well(_host: Host) -> Iterator[None]:
    """Change nothing."""
    yield


#: By Xen and number, how sick ones are made.
SICK = {("4.17", 8): stolen, ("4.17", 17): stormed, ("4.20", 12): lost}


def record(host: Host, path: Path) -> None:
    """Take two seconds, as `xentool record --all` does; a capture that is not whole counts as none."""
    part = path.with_suffix(".part")
    with part.open("wb") as output:
        recorded(host, output, Kinds(), seconds=SECONDS, buffer_pages=PAGES, known=partial(sidecar.write, path))
    part.rename(path)


def make(folder: Path, xen: str) -> None:
    """Make all of one Xen."""
    folder.mkdir(parents=True, exist_ok=True)
    left = [number for number in range(EACH) if not path_of(folder, number).exists()]
    if not left:
        return
    lab("up", "--xen", xen)
    try:
        for guest, kind in GUESTS.items():
            lab("guest", "start", guest, "--type", kind, "--workload", "shell")
        host = resolve(f"lab:{LAB}")
        for guest, works in WORK.items():
            for work in works:
                begin(host, guest, work)
        time.sleep(_BEFORE)
        for number in left:
            with SICK.get((xen, number), well)(host):
                record(host, path_of(folder, number))
            print(path_of(folder, number), flush=True)
        host.close()
    finally:
        lab("down")


def path_of(folder: Path, number: int) -> Path:
    """Name a capture."""
    return folder / f"{number:02}.xentrace"


def main(folder: str, *releases: str) -> None:
    """Make those of the releases, or of both."""
    for xen in releases or ("4.17", "4.20"):
        make(Path(folder) / xen, xen)


if __name__ == "__main__":
    main(*sys.argv[1:])
