"""What a lab's guests run under: Xen, or Linux's KVM beside it. One image serves both; here is what differs."""

from dataclasses import dataclass

from xentool.lab.places import DATA_IN_DOM0


@dataclass(frozen=True)
class Hypervisor:
    """A hypervisor, as the rest of the lab sees it.

    :param title: how it is called
    :param host: how the system is called that runs its guests
    :param types: of its guests; the first is what one is if nobody says
    :param inittab: the file of `data` that says what its host runs
    :param ready: a command that succeeds once its host can start guests
    :param consoles: the folder of its host in which guests' consoles are kept
    :param start, stop, end: its host's programs that start a guest, stop one, and end all of them and the host
    """

    name: str
    title: str
    host: str
    types: tuple[str, ...]
    inittab: str
    ready: tuple[str, ...]
    consoles: str
    start: str
    stop: str
    end: str

    def console(self, guest: str) -> str:
        """Return the file in which its host keeps a guest's console."""
        return f"{self.consoles}/guest-{guest}.log"


XEN = Hypervisor(
    name="xen",
    title="Xen",
    host="dom0",
    types=("pv", "pvh"),
    inittab="inittab",
    ready=("xl", "list"),
    consoles="/var/log/xen/console",
    start=f"{DATA_IN_DOM0}/guest-start.sh",
    stop=f"{DATA_IN_DOM0}/guest-stop.sh",
    end=f"{DATA_IN_DOM0}/dom0-stop.sh",
)
KVM = Hypervisor(
    name="kvm",
    title="KVM",
    host="the KVM host",
    types=("virtio", "emulated", "shadow"),
    inittab="kvm-inittab",
    ready=("test", "-c", "/dev/kvm"),
    consoles="/var/log/xentool",
    start=f"{DATA_IN_DOM0}/kvm-guest-start.sh",
    stop=f"{DATA_IN_DOM0}/kvm-guest-stop.sh",
    end=f"{DATA_IN_DOM0}/kvm-stop.sh",
)
HYPERVISORS = {each.name: each for each in (XEN, KVM)}
#: What a guest may be, under whichever.
TYPES = {
    "pv": "Xen, without help of the processor",
    "pvh": "Xen, with its help",
    "virtio": "KVM, virtio devices",
    "emulated": "KVM, an IDE disk and an Intel NIC that QEMU emulates",
    "shadow": "as virtio, with shadow page tables in nested paging's stead",
}
_NO_HVM = "Linux was not seen to start in one, neither by firmware that reads it a byte at a time, nor from a disk"
#: What a guest of Xen's could be, and is not in a lab; and why.
LEFT_OUT = {"hvm": _NO_HVM, "pvhvm": _NO_HVM}
