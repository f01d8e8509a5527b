"""A guest under KVM: QEMU's command line in the KVM host, and what is listed there. Pure."""

from xentool.lab.guest import Guest, Running
from xentool.lab.places import DATA_IN_DOM0
from xentool.lab.qemu import FASTER

_FILES = "/var/lib/xentool"
#: How devices look to a guest, by its type; the machine is the one that they belong to.
_DEVICES = {
    "virtio": ("q35", "virtio-blk-pci,drive=disk", "virtio-net-pci,netdev=net,mac=@MAC@,romfile="),
    "emulated": ("pc", "ide-hd,drive=disk,bus=ide.0", "e1000,netdev=net,mac=@MAC@,romfile="),
}
_DEVICES["shadow"] = _DEVICES["virtio"]


def command(guest: Guest, word: str) -> str:
    """Give the words that start a guest's QEMU, a line each. kvm-guest-start.sh puts addresses and the kernel in.

    :param word: what the guest's init prints when it is up
    """
    machine, disk, nic = _DEVICES[guest.type]
    base = f"{_FILES}/{guest.name}"
    extra = f"console=ttyS0 quiet panic=1 {FASTER} xentool.ready={word} {guest.options} xentool.type={guest.type}"
    # vhost serves virtio alone. An image that is cached here would be read once.
    vhost = "on" if guest.type != "emulated" else "off"
    words = [
        *("-name", f"{guest.name},debug-threads=on"),
        *("-machine", machine, "-accel", "kvm", "-cpu", "host"),
        *("-m", str(guest.memory_mib), "-smp", str(guest.vcpus)),
        *("-nodefaults", "-display", "none", "-no-reboot", "-daemonize"),
        *("-pidfile", f"{base}.pid"),
        *("-qmp", f"unix:{base}.qmp,server=on,wait=off"),
        *("-kernel", "@KERNEL@", "-initrd", f"{DATA_IN_DOM0}/guest-initrd", "-append", extra),
        *("-drive", f"file={base}.img,if=none,id=disk,format=raw,cache=none,aio=native"),
        *("-device", disk),
        *("-netdev", f"tap,id=net,ifname=tap@NUMBER@,script={DATA_IN_DOM0}/tap-up.sh,downscript=no,vhost={vhost}"),
        *("-device", nic),
        *("-chardev", "file,id=console,path=@LOG@,append=on", "-serial", "chardev:console"),
    ]
    return "".join(f"{each}\n" for each in words)


def listed(text: str) -> list[Running]:
    """Read what kvm-guest-list.sh prints: a guest a line, by QEMU's process."""
    rows = [line.split() for line in text.splitlines()]
    return sorted(
        (Running(name, int(pid), kind, int(vcpus), workload) for name, pid, kind, vcpus, workload in rows),
        key=lambda guest: guest.domid,
    )
