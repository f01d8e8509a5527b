"""The two ways in which a lab comes up: by a boot, and by going on from a snapshot of a lab like it."""

import os
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from traces.plural import plural
from xentool.lab import awaited, initramfs, launch, monitor, process, qemu, record, releases, seed, snapshot, sshkeys
from xentool.lab.hypervisors import Hypervisor
from xentool.lab.image import Image
from xentool.lab.places import DATA_IN_DOM0, run_folder
from xentool.lab.progress import Progress
from xentool.lab.record import Lab
from xentool.lab.snapshot import Snapshot

_WAKE = f"{DATA_IN_DOM0}/host-wake.sh"
#: The seed, as the host has it.
_SEED_IN_HOST = "/dev/vdb"
#: For its random numbers.
_CHANCE_BYTES = 64


@dataclass(frozen=True)
class Plan:
    """What a lab is to be.

    :param payload: xentool's own files in its host
    """

    name: str
    image: Image
    under: Hypervisor
    accel: str
    memory_mib: int
    vcpus: int
    store: str
    payload: Mapping[str, bytes]

    @property
    def run(self) -> Path:
        """The lab's run folder."""
        return run_folder(self.name)

    def machine(self, port: int, saved: Path | None = None, *, kept: bool = False) -> qemu.Machine:
        """Return its machine (see `qemu.Machine`)."""
        image = self.image.folder
        sizes = (self.memory_mib, self.vcpus)
        return qemu.Machine(self.name, self.run, image, self.accel, *sizes, port, self.under, saved, kept)

    def system(self) -> dict[str, bytes]:
        """Return the files of its host that are neither xentool's nor this lab's own."""
        hvm_cpus = qemu.cpus_for_hvm(self.accel, self.vcpus)
        return {**seed.system(self.image), **seed.settings(self.under, self.store, hvm_cpus)}

    @property
    def runs(self) -> str:
        """What it runs, in words."""
        return releases.running(self.under, self.image.release.xen)


def boot(plan: Plan, system: Mapping[str, bytes], initrd: bytes, progress: Progress, *, kept: bool = False) -> Lab:
    """Boot, and return when the host answers.

    :param kept: whether it is to be saved then, and its disk was made for that
    :raises XentoolError: that failed
    """
    run = plan.run
    keys = sshkeys.make(run)
    (run / qemu.INITRD).write_bytes(initrd)
    seed.write(run / qemu.SEED, {**system, **plan.payload, **seed.identity(plan.name, keys)})
    # Emptied rather than removed, so that somebody who follows it goes on seeing this start.
    (run / qemu.CONSOLE).write_bytes(b"")
    machine = f"{plan.accel}, {plural(plan.vcpus, 'CPU')}, {plan.memory_mib} MiB"
    progress.step(f"starting {plan.runs} in QEMU ({machine})")
    lab = _noted(plan, launch.launch(partial(plan.machine, kept=kept)), restored=False)
    awaited.until_it_answers(lab, progress)
    with closing(lab.host()) as host:
        host.run(lab.under.ready)
    return lab


def restore(plan: Plan, saved: Snapshot, progress: Progress) -> Lab:
    """Go on from a snapshot, and return when the host answers and knows what is otherwise now.

    :raises XentoolError: that failed
    """
    run = plan.run
    saved.unpack(run)
    same = snapshot.digest(plan.payload) == saved.software
    seed.write(run / qemu.SEED, {} if same else plan.payload)
    progress.step(f"restoring a snapshot of {plan.runs} in QEMU")
    lab = _noted(plan, launch.launch(partial(plan.machine, saved=saved.folder)), restored=True)
    monitor.resume(run)
    awaited.until_it_answers(lab, progress)
    wake(lab, *([] if same else [_SEED_IN_HOST]))
    return lab


def wake(lab: Lab, *archive: str) -> None:
    """Tell a host that stood still what is otherwise now.

    :param archive: where it finds xentool, if that is another one than it has
    :raises XentoolError: it does not answer
    """
    with closing(lab.host()) as host:
        host.run(["true"])  # connects, so that the time is not that of a login ago
        host.run([_WAKE, f"{time.time():.3f}", lab.name, *archive], input=os.urandom(_CHANCE_BYTES))
        host.run(lab.under.ready)


def initrd(image: Image) -> bytes:
    """Return the host's start-up archive."""
    return initramfs.make(image.folder, "root", "dom0.init")


def _noted(plan: Plan, port: int, *, restored: bool) -> Lab:
    run = plan.run
    known_hosts = run / "known_hosts"
    known_hosts.write_bytes(b"[127.0.0.1]:%d %s" % (port, (run / sshkeys.HOST_KEY_PUBLIC).read_bytes()))
    lab = Lab(
        name=plan.name,
        xen=plan.image.release.xen,
        image=str(plan.image.folder),
        accel=plan.accel,
        memory_mib=plan.memory_mib,
        vcpus=plan.vcpus,
        ssh_port=port,
        ssh_key=str(run / sshkeys.KEY),
        known_hosts=str(known_hosts),
        qemu_pid=process.find(run) or 0,
        started=time.time(),
        state=record.STARTING,
        hypervisor=plan.under.name,
        restored=restored,
    )
    record.write(lab)
    return lab
