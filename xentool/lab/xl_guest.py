"""A guest under Xen: its configuration for xl, and what xl lists. Pure."""

import re
from collections.abc import Iterable

from xentool.lab.guest import Guest, Running
from xentool.lab.places import DATA_IN_DOM0
from xentool.lab.qemu import FASTER
from xentool.tools import xl

#: For Linux as an emulated machine's guest: without a TSC of its own, beside Xen's clock. It would measure that by the
#: PIT, of which a PVH guest has none: 100,000 reads of its port, each a VM exit, which takes five seconds of its start.
#: And so it is told how long its loops for short delays are, roughly, which it would measure as well.
_EMULATED = "clearcpuid=tsc lpj=4000000"
#: xl's words for what serves a disk.
BACKENDS = {"kernel": "script=block-xentool", "qemu": "backendtype=qdisk"}
_WORKLOAD = re.compile(r"/([^/\n]+)\.cfg:xentool\.workload=(\w+)")


def configuration(guest: Guest, word: str, *, emulated: bool = False) -> str:
    """Make a guest's configuration for xl. guest-start.sh puts the address and the kernel in.

    :param word: what the guest's init prints when it is up
    :param emulated: whether QEMU emulates the machine's processors
    """
    faster = f"{FASTER} {_EMULATED}" if emulated else FASTER
    # There is no serial port that a trace would show; but each line of the log is a hypercall then.
    marks = "earlyprintk=xen,keep " if guest.marks else ""
    extra = (
        f"console=hvc0 quiet {faster} {marks}xentool.ready={word} {guest.options} "
        f"xentool.blkfront={','.join(guest.blkfront)}"
    )
    backend = BACKENDS[guest.backend]
    disk = f"format=raw,vdev=xvda,access=rw,{backend},target=/var/lib/xentool/{guest.name}.img"
    return f"""\
name = "{guest.name}"
type = "{guest.type}"
vcpus = {guest.vcpus}
memory = {guest.memory_mib}
kernel = "@KERNEL@"
ramdisk = "{DATA_IN_DOM0}/guest-initrd"
extra = "{extra}"
disk = ["{disk}"]
vif = ["script=vif-xentool,ip=@IP@"]
on_crash = "destroy"
on_reboot = "destroy"
"""


def listed(domains: Iterable[xl.Domain], workloads: str) -> list[Running]:
    """Give the guests among a host's domains.

    :param workloads: where their configurations name a workload, as grep prints it
    """
    known = dict(_WORKLOAD.findall(workloads))
    return [
        Running(domain.name or "", domain.domid, domain.type, domain.vcpus, known.get(domain.name or ""))
        for domain in domains
        if domain.domid != 0
    ]
