"""QEMU's command line for a lab. Pure: it starts nothing."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from xentool.lab import hypervisors
from xentool.lab.hypervisors import Hypervisor

# What each accelerator's CPU must not have. All three were seen to break Xen under QEMU 7.2's emulation:
# smap: RETF/IRET from ring 3 touch the stack as ring 0 would, and a PV dom0 dies at once;
# rdtscp: its intercept is reported with RDTSC's, and a PVH guest dies;
# xsave: a context switch mixes up vector registers, and programs in guests die of corrupted memory now and then.
# And one that slows it down: erms says that REP MOVSB is the fastest way to copy, which is emulated byte by byte.
CPU = {"tcg": "max,-smap,-rdtscp,-xsave,-avx,-avx2,-erms", "kvm": "host"}
ACCEL = {"tcg": "tcg,thread=multi", "kvm": "kvm"}

#: For Linux, in hosts and guests: no tests of ciphers, which take an emulated kernel half a second of its start; and
#: nothing that hardens it, a seventh of a host's start and a quarter of a guest's: a lab's guests are its own.
FASTER = "cryptomgr.notests mitigations=off init_on_alloc=0"

DOM0_ADDRESS = "10.0.2.15"
PIDFILE, CONSOLE, MONITOR, INITRD, SEED = "qemu.pid", "console.log", "qmp", "initrd", "seed"
PROGRAM = "qemu-system-x86_64"
#: Of an image.
ROOT_DISK = "root.ext4"
#: Of a machine that is saved: its memory and devices, and what it has written to its root disk.
STATE, DISK = "state", "disk.qcow2"


@dataclass(frozen=True)
class Machine:
    """A lab's machine.

    :param run: the lab's run folder, which is QEMU's working directory
    :param image: the image's folder
    :param ssh_port: the port on 127.0.0.1 that leads to its host's sshd
    :param under: what it boots
    :param saved: the folder of a machine that was saved (see `snapshot`), from which it goes on; None if it boots
    :param kept: whether what it writes to its root disk is kept, in ``DISK`` of its run folder, for it to be saved
    """

    name: str
    run: Path
    image: Path
    accel: str
    memory_mib: int
    vcpus: int
    ssh_port: int
    under: Hypervisor = hypervisors.XEN
    saved: Path | None = None
    kept: bool = False


def cpus_for_hvm(accel: str, vcpus: int) -> str:
    """Return the CPUs on which hardware-assisted guests may run, as a range.

    In QEMU's emulation every CPU that restores an FPU's state writes, unlocked, to a word of CPU 0's that also says
    whether that is in a guest's page tables (``cpu_clear_ignne``, up to 7.2 at least). Where they meet, CPU 0 leaves a
    guest with nested paging on or enters it without: a triple fault, in busy guests within a minute.
    """
    first = 1 if accel == "tcg" and vcpus > 1 else 0
    return f"{first}-{vcpus - 1}"


def dom0_mib(memory_mib: int) -> int:
    """Return dom0's share of the memory; the rest is for guests, Xen's own and the trace buffers."""
    return memory_mib * 2 // 5


def command(machine: Machine) -> list[str]:
    """Return the words that start a lab's QEMU in the background."""
    return [
        PROGRAM,
        *("-name", f"xentool-lab-{machine.name}"),
        *("-machine", "q35"),
        *("-accel", ACCEL[machine.accel]),
        *("-cpu", CPU[machine.accel]),
        *("-m", str(machine.memory_mib)),
        *("-smp", str(machine.vcpus)),
        *("-nodefaults", "-display", "none"),
        "-no-reboot",  # a Xen or dom0 that crashed reboots; the lab ends instead
        "-daemonize",
        # The full path, by which a process is known to be this lab's QEMU (see `process`).
        *("-pidfile", str(machine.run / PIDFILE)),
        *(_kvm(machine) if machine.under is hypervisors.KVM else _xen(machine)),
        # Full paths again: QEMU opens disks anew after it was saved, and has left its folder by then.
        *("-drive", f"if=virtio,{_root(machine)}"),
        *("-drive", f"if=virtio,format=raw,readonly=on,file={_quoted(machine.run / SEED)}"),
        *("-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{machine.ssh_port}-{DOM0_ADDRESS}:22"),
        *("-device", "virtio-net-pci,netdev=net0,romfile="),
        # What is in the file already was said before the machine was saved.
        *("-chardev", f"file,id=console,path={CONSOLE},append=on", "-serial", "chardev:console"),
        *("-qmp", f"unix:{MONITOR},server=on,wait=off"),
        *(("-incoming", f"exec:cat {shlex.quote(str(machine.saved / STATE))}") if machine.saved else ()),
    ]


def _root(machine: Machine) -> str:
    if machine.kept:
        return f"format=qcow2,file={_quoted(machine.run / DISK)}"
    # The overlay is an unlinked file in TMPDIR: nothing is left of it however QEMU ends.
    if machine.saved:
        return f"snapshot=on,format=qcow2,file={_quoted(machine.saved / DISK)}"
    return f"snapshot=on,format=raw,file={_quoted(machine.image / ROOT_DISK)}"


def _xen(machine: Machine) -> list[str]:
    memory = dom0_mib(machine.memory_mib)
    xen = f"com1=115200,8n1 console=com1 loglvl=info guest_loglvl=info spec-ctrl=no dom0_mem={memory}M"
    # QEMU takes these for a list of multiboot modules, each a file name with a command line.
    modules = f"{_quoted(machine.image / 'vmlinux')} {_linux('hvc0')},{INITRD}"
    return ["-kernel", _quoted(machine.image / "xen.elf"), "-append", xen, "-initrd", modules]


def _kvm(machine: Machine) -> list[str]:
    return ["-kernel", str(machine.image / "vmlinux"), "-append", _linux("ttyS0"), "-initrd", INITRD]


def _linux(console: str) -> str:
    return f"console={console} quiet loglevel=4 net.ifnames=0 {FASTER}"


def _quoted(path: Path) -> str:
    return str(path).replace(",", ",,")
