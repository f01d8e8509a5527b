"""Machines as file trees, and what `detect` has to say of them.

Contents are what such machines show, cut to what matters. Sources: virt-what 1.27's test trees (VW and its name),
systemd's src/basic/virt.c (SD), Linux' Documentation/ABI for sysfs (ABI), the lab of this project (LAB), own machines.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: A path ending in / is an empty folder; of LINKS it is the text of a symbolic link; None is a lone mark.
Tree = Mapping[str, str | None]
LINKS = re.compile("^proc/self/ns/|/iommu_group$|/physfn$")


@dataclass(frozen=True)
class Machine:
    """A tree, and the answer: layers outermost first, and states of techniques (state, and by whom, where that is).

    ``hosted`` are the hypervisors that could run guests there; ``contradictions`` are words out of each, in order;
    ``misjudged`` is systemd's word for it, where that goes by a maker's name alone.
    """

    tree: Tree
    layers: tuple[str, ...] = ()
    used: Mapping[str, str] = field(default_factory=dict)
    offered: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()
    hosted: tuple[str, ...] = ()
    virtualized: bool | None = True
    cpuid: Mapping[int, str] = field(default_factory=dict)
    misjudged: str | None = None


def build(tree: Tree, root: Path) -> Path:
    """Make the files below a folder."""
    for name, text in tree.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if text and LINKS.search(name):
            path.symlink_to(text)
        else:
            path.write_bytes((text or "").encode("latin-1"))
    return root


def x86(flags: str, model: str = "Intel(R) Xeon(R) CPU E5-2666 v3 @ 2.90GHz", vendor: str = "GenuineIntel") -> Tree:
    text = f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: {model}\nflags\t\t: fpu vme de pse lm {flags}\n\n"
    return {"proc/cpuinfo": text * 2}


def arm() -> Tree:
    return {"proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 48.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n"}


def dmi(**fields: str) -> Tree:
    return {f"sys/class/dmi/id/{name}": f"{text}\n" for name, text in fields.items()}


def clocks(names: str) -> Tree:
    return {"sys/devices/system/clocksource/clocksource0/available_clocksource": f"{names} \n"}


def device(bus: str, name: str, **words: str | int) -> Tree:
    folder = f"sys/bus/{bus}/devices/{name}"
    counts = {key: words.pop(key) for key in ("sriov_totalvfs", "sriov_numvfs") if key in words}
    links = [key for key in ("iommu_group", "physfn") if key in words]
    files = {f"{folder}/{key}": f"../{words.pop(key)}" for key in links}
    uevent = "".join(f"{key}={value}\n" for key, value in words.items())
    files[f"{folder}/uevent"] = uevent
    return files | {f"{folder}/{key}": f"{value}\n" for key, value in counts.items()}


def namespaces(**inodes: int) -> Tree:
    initial = {"cgroup": 4026531835, "ipc": 4026531839, "pid": 4026531836, "user": 4026531837, "uts": 4026531838}
    return {f"proc/self/ns/{kind}": f"{kind}:[{inode}]" for kind, inode in (initial | inodes).items()}


def environ(*variables: str) -> Tree:
    return {"proc/1/environ": "\0".join(("LANG=C", *variables, "HOME=/root")) + "\0"}


def release(text: str) -> Tree:
    return {"proc/sys/kernel/osrelease": f"{text}\n"}


_UUID = "5a3f1f4e-9f4c-4e50-9c1b-3d3b7a1f0e6a"
_CAPABILITIES = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "


def xen(
    guest_type: str | None, *, features: str | None, uuid: str = _UUID, version: str = "4.17.5", xenfs: str | None = ""
) -> Tree:
    major, minor, extra = version.split(".", 2)
    files: dict[str, str | None] = {
        "sys/hypervisor/type": "xen\n",
        "sys/hypervisor/uuid": f"{uuid}\n",
        "sys/hypervisor/version/major": f"{major}\n",
        "sys/hypervisor/version/minor": f"{minor}\n",
        "sys/hypervisor/version/extra": f".{extra}\n",
        "sys/hypervisor/properties/capabilities": f"{_CAPABILITIES}\n",
    }
    if features:
        files["sys/hypervisor/properties/features"] = f"{features}\n"
    if guest_type:
        files["sys/hypervisor/guest_type"] = f"{guest_type}\n"
    if xenfs is not None:
        files["proc/xen/capabilities"] = xenfs
    return files


_DOM0 = "00000000-0000-0000-0000-000000000000"
# Bits of Xen's features.h: a PV domain has no auto_translated_physmap (2); dom0 is bit 11.
_PV, _PV_DOM0, _HVM, _PVH_DOM0 = "00008002", "00008802", "00000705", "00008f05"
_TCG_CPU = "QEMU TCG CPU version 2.5+"
_QEMU_BOARD = dmi(sys_vendor="QEMU", product_name="Standard PC (Q35 + ICH9, 2009)", bios_vendor="SeaBIOS")
_LAPTOP = dmi(sys_vendor="LENOVO", product_name="20XWCTO1WW", bios_vendor="LENOVO")
_VIRTIO_BLK = device("virtio", "virtio0", DRIVER="virtio_blk", MODALIAS="virtio:d00000002v00001AF4")
_VIRTIO_NET = device("virtio", "virtio1", DRIVER="virtio_net", MODALIAS="virtio:d00000001v00001AF4")
_XEN_FRONT = {
    **device("xen", "vbd-51712", DRIVER="vbd", MODALIAS="xen:vbd"),
    **device("xen", "vif-0", DRIVER="vif", MODALIAS="xen:vif"),
}
_XEN_BACK = {
    **device("xen-backend", "vbd-1-51712", DRIVER="vbd", MODALIAS="xen-backend:vbd"),
    **device("xen-backend", "vif-1-0", DRIVER="vif", MODALIAS="xen-backend:vif"),
}
_HYPERV_BOARD = dmi(
    sys_vendor="Microsoft Corporation", product_name="Virtual Machine", product_version="Hyper-V UEFI Release v4.1"
)
_CONTAINED = namespaces(pid=4026532501, uts=4026532499, ipc=4026532500, cgroup=4026532573)
_ID = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

MACHINES: dict[str, Machine] = {
    "nothing to read": Machine({}, virtualized=None),
    # --- bare machines
    "laptop with KVM and VirtualBox": Machine(
        {
            **x86("vmx ept"),
            **_LAPTOP,
            **namespaces(),
            "dev/kvm": None,
            "sys/module/kvm_intel/parameters/ept": "Y\n",
            "sys/module/vboxdrv/": None,
            "sys/class/iommu/dmar0/": None,
            "sys/kernel/iommu_groups/0/": None,
            "sys/kernel/iommu_groups/1/": None,
            **device("pci", "0000:00:02.0", DRIVER="i915", PCI_ID="8086:9A49", PCI_SUBSYS_ID="17AA:508D"),
        },
        used={"cpu hardware-assisted": "no", "io emulated": "no", "isolation namespaces": "no"},
        offered={
            "cpu hardware-assisted": "yes",
            "memory nested paging": "yes KVM",
            "io IOMMU": "yes",
            "io SR-IOV": "no",
            "isolation namespaces": "yes",
        },
        hosted=("KVM", "VirtualBox"),
        virtualized=False,
    ),
    "server that hands out virtual functions": Machine(
        {
            **x86("svm npt", "AMD EPYC 7302P 16-Core Processor", "AuthenticAMD"),
            **{f"sys/kernel/iommu_groups/{group}/": None for group in (31, 62, 63)},
            "sys/module/kvm_amd/parameters/npt": "0\n",
            **device(
                "pci",
                "0000:41:00.0",
                DRIVER="ixgbe",
                PCI_ID="8086:10FB",
                sriov_totalvfs=63,
                sriov_numvfs=2,
                iommu_group=31,
            ),
            **device(
                "pci", "0000:41:10.0", DRIVER="vfio-pci", PCI_ID="8086:10ED", iommu_group=62, physfn="0000:41:00.0"
            ),
            **device(
                "pci", "0000:41:10.2", DRIVER="ixgbevf", PCI_ID="8086:10ED", iommu_group=63, physfn="0000:41:00.0"
            ),
        },
        used={"io SR-IOV": "no", "io passthrough": "no"},
        offered={
            "io SR-IOV": "yes",
            "io passthrough": "yes",
            "io IOMMU": "yes",
            "memory shadow paging": "yes KVM",
            "memory nested paging": "no KVM",
        },
        hosted=("KVM",),
        virtualized=False,
    ),
    # Linux, Documentation/driver-api/vfio.rst: group 26 of its author's host, half of which is held
    "sound card behind a bridge, half of whose group is held": Machine(
        {
            **x86("vmx ept"),
            **_LAPTOP,
            "sys/kernel/iommu_groups/26/": None,
            **device("pci", "0000:00:1e.0", PCI_CLASS="60401", PCI_ID="8086:244E", iommu_group=26),
            **device("pci", "0000:06:0d.0", DRIVER="vfio-pci", PCI_CLASS="40100", PCI_ID="1102:0002", iommu_group=26),
            **device(
                "pci", "0000:06:0d.1", DRIVER="Emu10k1_gameport", PCI_CLASS="98000", PCI_ID="1102:7002", iommu_group=26
            ),
        },
        offered={"io IOMMU": "yes", "io passthrough": "no"},
        virtualized=False,
    ),
    "IOMMU that firmware has and the kernel does not use": Machine(
        {
            **x86("svm npt", vendor="AuthenticAMD"),
            "sys/firmware/acpi/tables/IVRS": "",
            "sys/kernel/iommu_groups/": None,
        },
        offered={"cpu hardware-assisted": "yes", "memory nested paging": "yes", "io IOMMU": "no"},
        virtualized=False,
    ),
    "Amazon's bare metal": Machine(  # VW aws-baremetal-x86
        {**x86("vmx"), **dmi(sys_vendor="Amazon EC2", product_name="i3.metal", bios_vendor="Amazon EC2")},
        offered={"cpu hardware-assisted": "yes"},
        virtualized=False,
    ),
    "Oracle's server, whose maker also makes VirtualBox": Machine(
        {
            **x86("vmx"),
            **dmi(
                sys_vendor="Oracle Corporation", product_name="ORACLE SERVER X7-2", board_vendor="Oracle Corporation"
            ),
        },
        offered={"cpu hardware-assisted": "yes"},
        virtualized=False,
        misjudged="oracle",
    ),
    "Nutanix' server": Machine(
        {**x86("vmx"), **dmi(sys_vendor="Nutanix", product_name="NX-1065-G5")},
        offered={"cpu hardware-assisted": "yes"},
        virtualized=False,
    ),
    "a maker whose name begins as Xen's": Machine(
        {**x86("vmx"), **dmi(sys_vendor="Xenon Systems", product_name="Radon Duo")},
        offered={"cpu hardware-assisted": "yes"},
        virtualized=False,
        misjudged="xen",
    ),
    # --- Xen
    "dom0 on Oracle's server": Machine(  # Oracle VM Server
        {
            **x86("hypervisor"),
            **dmi(
                sys_vendor="Oracle Corporation", product_name="ORACLE SERVER X7-2", board_vendor="Oracle Corporation"
            ),
            **xen("PV", features=_PV_DOM0, uuid=_DOM0, version="4.4.4OVM", xenfs="control_d\n"),
        },
        ("Xen PV dom0 4.4.4OVM",),
        hosted=("Xen",),
        misjudged="oracle",
    ),
    "Xen PV dom0": Machine(
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Dell Inc.", product_name="PowerEdge R640", bios_vendor="Dell Inc."),
            **xen("PV", features=_PV_DOM0, uuid=_DOM0, xenfs="control_d\n"),
            **clocks("xen tsc"),
            **_XEN_BACK,
            **device("pci", "0000:3b:00.0", DRIVER="pciback", PCI_ID="8086:1572", PCI_SUBSYS_ID="8086:0001"),
        },
        ("Xen PV dom0 4.17.5",),
        used={
            "cpu binary translation": "no Xen",
            "cpu paravirtual": "yes Xen",
            "cpu hardware-assisted": "no Xen",
            "memory direct paging": "yes Xen",
            "memory shadow paging": "no Xen",
            "io passthrough": "implied Xen",
            "io emulated": "no Xen",
        },
        offered={
            "cpu paravirtual": "yes Xen",
            "cpu hardware-assisted": "yes Xen",
            "memory nested paging": "unknown",
            "io paravirtual": "yes",
            "io passthrough": "yes",
            "io IOMMU": "unknown",
        },
        hosted=("Xen",),
    ),
    "the lab's dom0: Xen in QEMU's TCG": Machine(  # LAB
        {
            **x86("hypervisor svm", _TCG_CPU, "AuthenticAMD"),
            **_QEMU_BOARD,
            **xen("PV", features=_PV_DOM0, uuid=_DOM0, xenfs="control_d\n"),
            **_VIRTIO_BLK,
            **_VIRTIO_NET,
            **device("pci", "0000:00:00.0", PCI_ID="8086:29C0", PCI_SUBSYS_ID="1AF4:1100"),
        },
        ("QEMU TCG [QEMU]", "Xen PV dom0 4.17.5"),
        used={
            "cpu binary translation": "implied QEMU TCG",
            "cpu paravirtual": "yes Xen",
            "cpu hardware-assisted": "no QEMU TCG",
            "memory direct paging": "yes Xen",
            "io emulated": "yes QEMU TCG",
            "io paravirtual": "yes QEMU TCG",
        },
        offered={"cpu hardware-assisted": "yes Xen", "io SR-IOV": "no"},
        hosted=("Xen",),
    ),
    "PVH dom0": Machine(
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Supermicro", product_name="X11SCL-F"),
            **xen("PVH", features=_PVH_DOM0, uuid=_DOM0, version="4.20.1", xenfs="control_d\n"),
        },
        ("Xen PVH dom0 4.20.1",),
        used={
            "cpu hardware-assisted": "implied Xen",
            "cpu paravirtual": "yes Xen",
            "memory direct paging": "no Xen",
            "memory nested paging": "unknown Xen",
        },
        hosted=("Xen",),
        cpuid={0x40000000: "XenVMMXenVMM"},
    ),
    "dom0 in VMware, with xenfs not mounted": Machine(
        {
            **x86("hypervisor vmx"),
            **dmi(sys_vendor="VMware, Inc.", product_name="VMware7,1"),
            **xen("PV", features=_PV_DOM0, uuid=_DOM0, xenfs=None),
            **device("pci", "0000:03:00.0", DRIVER="vmw_pvscsi", PCI_ID="15AD:07C0", PCI_SUBSYS_ID="15AD:07C0"),
        },
        ("VMware", "Xen PV dom0 4.17.5"),
        used={"io paravirtual": "yes VMware", "cpu paravirtual": "yes Xen", "cpu hardware-assisted": "unknown VMware"},
        hosted=("Xen",),
    ),
    "dom0 of old, without features and guest_type": Machine(  # VW rhel5-xen-dom0
        {
            **x86("vmx", "Intel(R) Core(TM)2 CPU T7600 @ 2.33GHz"),
            **dmi(sys_vendor="Apple Computer, Inc.", product_name="MacBookPro2,1"),
            **xen(None, features=None, uuid=_DOM0, version="3.1.2-238.el5", xenfs="control_d\n"),
        },
        ("Xen dom0 3.1.2-238.el5",),
        used={"memory direct paging": "unknown", "cpu paravirtual": "yes Xen", "io passthrough": "implied Xen"},
        offered={"cpu hardware-assisted": "yes Xen"},
        hosted=("Xen",),
    ),
    "PV domU": Machine(
        {**x86("hypervisor"), **xen("PV", features=_PV), **clocks("xen tsc"), **_XEN_FRONT},
        ("Xen PV domU 4.17.5",),
        used={
            "cpu paravirtual": "yes Xen",
            "cpu hardware-assisted": "no Xen",
            "memory direct paging": "yes Xen",
            "memory nested paging": "no Xen",
            "io paravirtual": "yes Xen",
            "io emulated": "no Xen",
            "io passthrough": "unknown",
        },
        offered={"cpu hardware-assisted": "unknown"},
    ),
    "PV domU before guest_type": Machine(
        {**x86("hypervisor"), **xen(None, features=_PV, xenfs=None, version="4.4.4")},
        ("Xen PV domU 4.4.4",),
        used={"memory direct paging": "yes Xen"},
    ),
    "PV domU of old": Machine(  # VW rhel5-xen-domU-pv
        {
            **x86("vmx", "Intel(R) Core(TM)2 CPU T7600 @ 2.33GHz"),
            "proc/xen/capabilities": "",
            "proc/xen/xenbus": "",
        },
        ("Xen domU",),
        used={"memory direct paging": "unknown"},
    ),
    "PV domU with a device of its own": Machine(
        {**x86("hypervisor"), **xen("PV", features=_PV), **device("xen", "pci-0", DRIVER="pcifront"), **_XEN_FRONT},
        ("Xen PV domU 4.17.5",),
        used={"io passthrough": "yes Xen", "io paravirtual": "yes Xen"},
    ),
    "the lab's PV domU": Machine(  # LAB: the CPU's name is QEMU's, two layers further out
        {**x86("hypervisor", _TCG_CPU, "AuthenticAMD"), **xen("PV", features=_PV), **_XEN_FRONT},
        ("QEMU TCG", "Xen PV domU 4.17.5"),
        used={"cpu binary translation": "implied QEMU TCG", "io paravirtual": "yes Xen"},
    ),
    "the lab's PVH domU": Machine(  # LAB
        {
            **x86("hypervisor", _TCG_CPU, "AuthenticAMD"),
            **xen("PVH", features=_HVM, version="4.20.2"),
            **_XEN_FRONT,
            "sys/firmware/acpi/tables/FACP": "FACP\x14\x01\0\0\x05\x00Xen   HVM",
        },
        ("QEMU TCG", "Xen PVH domU 4.20.2"),
        used={
            "cpu hardware-assisted": "implied Xen",
            "cpu paravirtual": "yes Xen",
            "memory nested paging": "unknown Xen",
            "io emulated": "no Xen",
        },
        offered={"cpu hardware-assisted": "no", "memory nested paging": "no"},
        cpuid={0x40000000: "XenVMMXenVMM"},
    ),
    "HVM domU": Machine(
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Xen", product_name="HVM domU", bios_vendor="Xen", product_version="4.17.5"),
            **xen("HVM", features=_HVM),
            **_XEN_FRONT,
            **device("pci", "0000:00:02.0", DRIVER="xen-platform-pci", PCI_ID="5853:0001", PCI_SUBSYS_ID="5853:0001"),
            **device("pci", "0000:00:04.0", DRIVER="e1000", PCI_ID="8086:100E", PCI_SUBSYS_ID="1AF4:1100"),
        },
        ("Xen HVM domU 4.17.5",),
        used={
            "cpu hardware-assisted": "implied Xen",
            "cpu paravirtual": "yes Xen",
            "memory shadow paging": "unknown Xen",
            "memory direct paging": "no Xen",
            "io emulated": "yes Xen",
            "io paravirtual": "yes Xen",
        },
    ),
    "HVM domU whose kernel knows no Xen": Machine(  # VW rhel5-xen-domU-hvm
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Red Hat", product_name="HVM domU", bios_vendor="Xen", product_version="3.1.2-238.el5"),
        },
        ("Xen HVM",),
        used={"cpu hardware-assisted": "implied Xen", "cpu paravirtual": "unknown", "io emulated": "implied Xen"},
        cpuid={0x40000000: "XenVMMXenVMM"},
    ),
    "Amazon's Xen": Machine(  # VW aws-xen-x86
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Xen", product_name="HVM domU", bios_vendor="Xen", product_version="4.2.amazon"),
            **xen("HVM", features=_HVM, version="4.2.amazon", uuid="ec2c3b1d-9d1c-5b0e-7f0c-0e9c8b7a6d5e"),
            **device("pci", "0000:00:03.0", DRIVER="ixgbevf", PCI_ID="8086:10ED", PCI_SUBSYS_ID="8086:7B11"),
        },
        ("Xen HVM domU 4.2.amazon [Amazon EC2]",),
        used={"io passthrough": "yes Xen", "io SR-IOV": "yes Xen"},
        cpuid={0x40000000: "XenVMMXenVMM"},
    ),
    "HVM domU that shows Hyper-V's interface too": Machine(  # viridian=1
        {**x86("hypervisor"), **dmi(sys_vendor="Xen", product_name="HVM domU"), **xen("HVM", features=_HVM)},
        ("Xen HVM domU 4.17.5 +Hyper-V",),
        cpuid={0x40000000: "Microsoft Hv", 0x40000100: "XenVMMXenVMM"},
    ),
    "Xen on ARM": Machine(  # VW xen-arm; ABI: guest_type is Xen
        {
            **arm(),
            "proc/device-tree/hypervisor/compatible": "xen,xen-4.17\0xen,xen\0",
            "sys/hypervisor/type": "xen\n",
            "sys/hypervisor/guest_type": "Xen\n",
        },
        ("Xen",),
        used={
            "cpu hardware-assisted": "implied Xen",
            "memory nested paging": "implied Xen",
            "cpu paravirtual": "yes Xen",
        },
    ),
    "domain whose signs disagree on dom0": Machine(
        {**x86("hypervisor"), **xen("PV", features=_PV_DOM0, xenfs="")},
        ("Xen PV dom0 4.17.5",),
        contradictions=("not all signs agree",),
        hosted=("Xen",),
    ),
    "PVH to the kernel, HVM to firmware": Machine(
        {**x86("hypervisor"), **xen("PVH", features=_HVM), **dmi(sys_vendor="Xen", product_name="HVM domU")},
        ("Xen PVH domU 4.17.5",),
        contradictions=("the kernel says PVH",),
    ),
    # --- KVM and QEMU
    "KVM in QEMU, as any user sees it": Machine(
        {
            **x86("hypervisor svm npt", "AMD EPYC-Rome Processor", "AuthenticAMD"),
            **_QEMU_BOARD,
            **clocks("kvm-clock tsc hpet acpi_pm"),
            **_VIRTIO_BLK,
            **_VIRTIO_NET,
            **device("pci", "0000:00:01.0", DRIVER="bochs-drm", PCI_ID="1234:1111", PCI_SUBSYS_ID="1AF4:1100"),
            **device("pci", "0000:01:00.0", DRIVER="virtio-pci", PCI_ID="1AF4:1041", PCI_SUBSYS_ID="1AF4:1100"),
            **device("pci", "0000:06:00.0", DRIVER="iavf", PCI_ID="8086:154C", PCI_SUBSYS_ID="8086:0000"),
        },
        ("KVM [QEMU]",),
        used={
            "cpu binary translation": "no KVM",
            "cpu paravirtual": "yes KVM",
            "cpu hardware-assisted": "implied KVM",
            "memory shadow paging": "unknown KVM",
            "memory nested paging": "unknown KVM",
            "io emulated": "yes KVM",
            "io paravirtual": "yes KVM",
            "io passthrough": "yes KVM",
            "io SR-IOV": "yes KVM",
            "io IOMMU": "unknown",
        },
        offered={"cpu hardware-assisted": "yes", "memory nested paging": "yes"},
    ),
    "KVM with Hyper-V's enlightenments": Machine(  # SD: "qemu with KVM + HyperV Enlightenments"
        {**x86("hypervisor"), **_QEMU_BOARD},
        ("KVM [QEMU] +Hyper-V",),
        cpuid={0x40000000: "Microsoft Hv", 0x40000100: "KVMKVMKVM"},
    ),
    "KVM that plays Xen": Machine(  # QEMU's xen-version=4.17,kernel-irqchip=split
        {**x86("hypervisor"), **_QEMU_BOARD},
        ("KVM [QEMU] +Xen",),
        used={"cpu hardware-assisted": "implied KVM"},
        cpuid={0x40000000: "XenVMMXenVMM", 0x40000100: "KVMKVMKVM"},
    ),
    "KVM that plays Xen, seen without privilege": Machine(  # /dev/cpu/0/cpuid is root's; Xen has firmware of its own
        {**x86("hypervisor"), **_QEMU_BOARD, **xen("HVM", features=_HVM), **clocks("xen tsc hpet"), **_XEN_FRONT},
        ("KVM [QEMU] +Xen",),
        used={"cpu hardware-assisted": "implied KVM"},
    ),
    "KVM that plays Xen for a PVH kernel": Machine(
        {**x86("hypervisor"), **dmi(sys_vendor="Red Hat", product_name="KVM"), **xen("PVH", features=_HVM)},
        ("KVM +Xen",),
    ),
    "Amazon's KVM that plays Xen": Machine(
        {**x86("hypervisor"), **dmi(sys_vendor="Amazon EC2", product_name="m4.large"), **xen("HVM", features=_HVM)},
        ("KVM [Amazon EC2 (Nitro)] +Xen",),
    ),
    "Amazon's Xen that says Amazon too": Machine(
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Amazon EC2", product_name="HVM domU", bios_vendor="Xen", product_version="4.11.amazon"),
            **xen("HVM", features=_HVM, version="4.11.amazon"),
        },
        ("Xen HVM domU 4.11.amazon [Amazon EC2]",),
    ),
    "Amazon's Xen of old, PV": Machine(
        {**x86("hypervisor"), **xen("PV", features=_PV, version="3.4.3.amazon"), **_XEN_FRONT},
        ("Xen PV domU 3.4.3.amazon [Amazon EC2]",),
    ),
    "dom0 in QEMU, with QEMU's firmware": Machine(
        {**x86("hypervisor"), **_QEMU_BOARD, **xen("PVH", features=_PVH_DOM0, uuid=_DOM0, xenfs="control_d\n")},
        ("QEMU", "Xen PVH dom0 4.17.5"),
        hosted=("Xen",),
    ),
    "OpenBSD's vmm": Machine(
        {**x86("hypervisor"), **dmi(sys_vendor="OpenBSD", product_name="VMM")},
        ("OpenBSD vmm",),
        used={"cpu hardware-assisted": "implied OpenBSD vmm", "memory nested paging": "implied OpenBSD vmm"},
    ),
    "OpenBSD's vmm by CPUID": Machine({**x86("hypervisor")}, ("OpenBSD vmm",), cpuid={0x40000000: "OpenBSDVMM58"}),
    "kvmtool of old": Machine(
        {**x86("hypervisor", vendor="LKVMLKVMLKVM"), **clocks("kvm-clock tsc")},
        ("KVM [kvmtool]",),
        used={"cpu hardware-assisted": "implied KVM"},
    ),
    "Nutanix": Machine({**x86("hypervisor"), **dmi(sys_vendor="Nutanix", product_name="AHV")}, ("KVM [Nutanix AHV]",)),
    "Bochs": Machine(
        {**x86("hypervisor"), **dmi(sys_vendor="Bochs", product_name="Bochs", bios_vendor="Bochs")},
        ("Bochs",),
        used={"cpu hardware-assisted": "no Bochs"},
    ),
    "KVM in QEMU of old, with the firmware of Bochs": Machine(
        {**x86("hypervisor"), **dmi(sys_vendor="Bochs", bios_vendor="Bochs"), **clocks("kvm-clock tsc")},
        ("KVM [QEMU]",),
    ),
    "Jailhouse": Machine({**x86("hypervisor")}, ("Jailhouse",), cpuid={0x40000000: "Jailhouse"}),
    # --- POWER and System z
    "PowerVM": Machine(
        {
            "proc/cpuinfo": "processor\t: 0\ncpu\t\t: POWER9 (architected), altivec supported\n",
            "proc/device-tree/compatible": "IBM,9009-42A\0",
            "proc/device-tree/ibm,partition-name": "lpar1\0",
            "proc/device-tree/hmc-managed?": "",
        },
        ("PowerVM",),
    ),
    "QEMU's POWER machine": Machine(
        {
            "proc/cpuinfo": "processor\t: 0\ncpu\t\t: POWER9 (architected), altivec supported\n",
            "proc/device-tree/compatible": "qemu,pseries\0",
            "proc/device-tree/ibm,partition-name": "guest\0",
            "proc/device-tree/hmc-managed?": "",
            "proc/device-tree/chosen/qemu,graphic-width": "",
        },
        ("QEMU",),
    ),
    "KVM on POWER": Machine(
        {"proc/device-tree/hypervisor/compatible": "linux,kvm\0", "proc/device-tree/compatible": "qemu,pseries\0"},
        ("KVM [QEMU]",),
    ),
    "z/VM": Machine(
        {
            "proc/cpuinfo": "vendor_id       : IBM/S390\n",
            "proc/sysinfo": "Manufacturer:         IBM\nLPAR Name:            A1\n"
            "VM00 Name:            LINUX1\nVM00 Control Program: z/VM    7.2.0\n",
        },
        ("z/VM",),
    ),
    "KVM on System z": Machine(
        {
            "proc/cpuinfo": "vendor_id       : IBM/S390\n",
            "proc/sysinfo": "LPAR Name:            A1\nVM00 Control Program: KVM/Linux\n",
        },
        ("KVM",),
    ),
    "a partition of System z": Machine(  # as systemd has it: no virtual machine
        {
            "proc/cpuinfo": "vendor_id       : IBM/S390\n",
            "proc/sysinfo": "LPAR Number:          3\nLPAR Name:            A1\n",
        },
        virtualized=False,
    ),
    "kvmtool on ARM": Machine({**arm(), "proc/device-tree/compatible": "linux,dummy-virt\0"}, ("unknown hypervisor",)),
    "KVM under a CPU that hides it": Machine(  # -cpu host,-hypervisor
        {**x86(""), **dmi(sys_vendor="Red Hat", product_name="KVM")},
        ("KVM",),
        contradictions=("flags deny",),
    ),
    "KVM in KVM in TCG": Machine(  # -cpu host inside of -cpu max
        {**x86("hypervisor", _TCG_CPU, "AuthenticAMD"), **clocks("kvm-clock tsc")},
        ("QEMU TCG", "KVM"),
        used={"cpu binary translation": "implied QEMU TCG", "cpu hardware-assisted": "implied KVM"},
        cpuid={0x40000000: "KVMKVMKVM"},
    ),
    "TCG": Machine(
        {**x86("hypervisor svm", _TCG_CPU, "AuthenticAMD"), **_QEMU_BOARD, **clocks("tsc hpet acpi_pm")},
        ("QEMU TCG [QEMU]",),
        used={
            "cpu binary translation": "implied QEMU TCG",
            "cpu hardware-assisted": "no QEMU TCG",
            "memory shadow paging": "no QEMU TCG",
        },
        offered={"cpu hardware-assisted": "yes"},
        cpuid={0x40000000: "TCGTCGTCGTCG"},
    ),
    "QEMU, accelerated or not": Machine(  # VW qemu
        {**x86("hypervisor", "QEMU Virtual CPU version 2.5+"), **_QEMU_BOARD, **clocks("tsc hpet acpi_pm")},
        ("QEMU",),
        used={"cpu binary translation": "unknown QEMU", "cpu hardware-assisted": "unknown QEMU"},
    ),
    "QEMU on ARM": Machine(  # VW qemu-arm
        {**arm(), "proc/device-tree/fw-cfg@9020000/compatible": "qemu,fw-cfg-mmio\0"}, ("QEMU",)
    ),
    "KVM on ARM": Machine(
        {**arm(), **dmi(sys_vendor="QEMU", product_name="KVM Virtual Machine")},
        ("KVM [QEMU]",),
        used={"cpu hardware-assisted": "implied KVM", "memory nested paging": "implied KVM"},
    ),
    "Amazon's Nitro": Machine(  # VW aws-kvm-x86
        {
            **x86("hypervisor", "Intel(R) Xeon(R) Platinum 8124M CPU @ 3.00GHz"),
            **dmi(sys_vendor="Amazon EC2", product_name="c5.large", bios_vendor="Amazon EC2"),
            **clocks("kvm-clock tsc acpi_pm"),
        },
        ("KVM [Amazon EC2 (Nitro)]",),
    ),
    "Google Compute Engine": Machine(  # VW google-cloud
        {**x86("hypervisor"), **dmi(sys_vendor="Google", product_name="Google Compute Engine", bios_vendor="Google")},
        ("KVM [Google Compute Engine]",),
    ),
    "OpenStack": Machine(
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="OpenStack Foundation", product_name="OpenStack Nova"),
            **clocks("kvm-clock tsc"),
        },
        ("KVM [OpenStack]",),
    ),
    "Firecracker, as root sees it": Machine(
        {
            **x86("hypervisor"),
            **clocks("tsc kvm-clock"),
            "sys/firmware/acpi/tables/FACP": "FACP\x14\x01\0\0\x06\x00FIRECKFC",
        },
        ("KVM [Firecracker]",),
        cpuid={0x40000000: "KVMKVMKVM"},
    ),
    # --- the others
    "VMware": Machine(
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="VMware, Inc.", product_name="VMware Virtual Platform"),
            **device("pci", "0000:00:0f.0", DRIVER="vmwgfx", PCI_ID="15AD:0405", PCI_SUBSYS_ID="15AD:0405"),
            **device("pci", "0000:0b:00.0", DRIVER="vmxnet3", PCI_ID="15AD:07B0", PCI_SUBSYS_ID="15AD:07B0"),
        },
        ("VMware",),
        used={
            "cpu binary translation": "unknown VMware",
            "cpu hardware-assisted": "unknown VMware",
            "io emulated": "yes VMware",
            "io paravirtual": "yes VMware",
        },
        cpuid={0x40000000: "VMwareVMware"},
    ),
    "VMware that hides from the CPU": Machine(  # VW esx4.1; hypervisor.cpuid.v0 = FALSE
        {**x86(""), **dmi(sys_vendor="VMware, Inc.", product_name="VMware Virtual Platform")},
        ("VMware",),
        contradictions=("flags deny",),
    ),
    "KVM with VMware's firmware strings": Machine(
        {**x86("hypervisor"), **dmi(sys_vendor="VMware, Inc.", product_name="VMware7,1"), **clocks("kvm-clock tsc")},
        ("KVM (contested)",),
        contradictions=("other signs say VMware",),
    ),
    "VirtualBox, which looks like KVM": Machine(
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="innotek GmbH", product_name="VirtualBox", board_vendor="Oracle Corporation"),
            **clocks("kvm-clock tsc acpi_pm"),
            **device("pci", "0000:00:02.0", DRIVER="vboxvideo", PCI_ID="80EE:BEEF", PCI_SUBSYS_ID="0000:0000"),
            **device("pci", "0000:00:04.0", DRIVER="vboxguest", PCI_ID="80EE:CAFE", PCI_SUBSYS_ID="0000:0000"),
        },
        ("VirtualBox +KVM",),
        used={
            "cpu hardware-assisted": "implied VirtualBox",
            "cpu binary translation": "no VirtualBox",
            "io emulated": "yes VirtualBox",
            "io paravirtual": "yes VirtualBox",
        },
        cpuid={0x40000000: "KVMKVMKVM"},
    ),
    "VirtualBox that tells another product and maker": Machine(  # VBoxManage setextradata ... DmiSystemProduct
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Acme", product_name="Box", board_vendor="Oracle Corporation", board_name="VirtualBox"),
        },
        ("VirtualBox",),
    ),
    "Azure": Machine(
        {
            **x86("hypervisor vmx"),
            **_HYPERV_BOARD,
            **clocks("hyperv_clocksource_tsc_page acpi_pm"),
            **device("vmbus", "000d3a7b-1f0d-000d-3a7b-1f0d000d3a7b", DRIVER="hv_netvsc"),
            **device("vmbus", "47505500-0001-0000-3130-444532333932", DRIVER="hv_pci"),
        },
        ("Hyper-V",),
        used={
            "cpu hardware-assisted": "implied Hyper-V",
            "cpu paravirtual": "yes Hyper-V",
            "io paravirtual": "yes Hyper-V",
            "io passthrough": "yes Hyper-V",
        },
        offered={"cpu hardware-assisted": "yes"},
        cpuid={0x40000000: "Microsoft Hv"},
    ),
    "Hyper-V of old": Machine(  # VW hyperv
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Microsoft Corporation", product_name="Virtual Machine", product_version="5.0"),
        },
        ("Hyper-V",),
    ),
    "bhyve": Machine(  # VW bhyve
        {**x86("hypervisor"), **dmi(bios_vendor="BHYVE", sys_vendor=" ", product_name="BHYVE")},
        ("bhyve",),
        used={"memory nested paging": "implied bhyve", "memory shadow paging": "no bhyve"},
    ),
    "Parallels, which looks like KVM": Machine(  # VW parallels-desktop
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="Parallels Software International Inc.", product_name="Parallels Virtual Platform"),
        },
        ("Parallels +KVM",),
        used={"cpu hardware-assisted": "unknown"},
        cpuid={0x40000000: "KVMKVMKVM"},
    ),
    "User-Mode Linux": Machine(
        {"proc/cpuinfo": "processor\t: 0\nvendor_id\t: User Mode Linux\nmodel name\t: UML\nmode\t\t: skas\n\n"},
        ("User-Mode Linux",),
        used={"cpu paravirtual": "implied User-Mode Linux"},
    ),
    "a hypervisor nobody knows": Machine(
        x86("hypervisor"),
        ("unknown hypervisor",),
        used={"cpu hardware-assisted": "unknown"},
        cpuid={0x40000000: "NoSuchHyperv"},
    ),
    "LMHS SRE": Machine({**x86("hypervisor")}, ("LMHS SRE",), cpuid={0x40000000: "SRESRESRESRE"}),
    "firmware that says virtual machine, and no more": Machine(
        {**x86("hypervisor"), "sys/firmware/dmi/entries/0-0/raw": "\0\x1a" + "\0" * 17 + "\x1c" + "\0" * 6},
        ("unknown hypervisor",),
    ),
    # --- containers
    "Docker on a bare machine": Machine(  # VW docker
        {
            **x86("vmx"),
            ".dockerenv": None,
            "proc/self/cgroup": f"12:devices:/docker/{_ID}\n11:blkio:/docker/{_ID}\n",
            **namespaces(pid=4026532501, uts=4026532499, ipc=4026532500),
        },
        ("Docker",),
        used={"cpu hardware-assisted": "no", "isolation namespaces": "yes"},
    ),
    "Podman": Machine(  # VW podman
        {
            **x86(""),
            **environ("container=podman"),
            "run/.containerenv": "",
            "proc/self/cgroup": f"11:perf_event:/machine.slice/libpod-{_ID}.scope\n",
            **_CONTAINED,
        },
        ("Podman",),
    ),
    "LXC": Machine({**x86(""), **environ("container=lxc"), **_CONTAINED}, ("LXC",)),  # VW lxc
    "LXD": Machine({**x86(""), "run/systemd/container": "lxc\n", "dev/lxd/sock": None, **_CONTAINED}, ("LXC",)),
    "libvirt's LXC": Machine({**x86(""), **environ("container=lxc-libvirt")}, ("LXC (libvirt)",)),
    "systemd-nspawn": Machine(
        {**x86(""), "run/host/container-manager": "systemd-nspawn\n", **_CONTAINED}, ("systemd-nspawn",)
    ),
    "OpenVZ": Machine({**x86(""), "proc/vz/": None}, ("OpenVZ",)),
    "OpenVZ's host": Machine({**x86("vmx"), "proc/vz/": None, "proc/bc/": None}, virtualized=False),
    "CRI-O": Machine(
        {**x86(""), **environ("container=crio", "KUBERNETES_PORT_443_TCP_PORT=443")}, ("CRI-O",)
    ),  # VW crio
    "OCI": Machine({**x86(""), **environ("container=oci")}, ("OCI container",)),  # VW oci
    "OCI by Docker": Machine({**x86(""), **environ("container=oci"), ".dockerenv": None, **_CONTAINED}, ("Docker",)),
    "a manager nobody knows": Machine({**x86(""), **environ("container=\x1b[2Jevil")}, ("[2Jevil",)),
    "only a PID namespace": Machine({**x86(""), **namespaces(pid=4026532501)}, ("unknown container",)),
    "WSL 2": Machine(
        {
            **x86("hypervisor"),
            **release("5.15.90.1-microsoft-standard-WSL2"),
            "run/systemd/container": "wsl\n",
            **clocks("hyperv_clocksource_tsc_page tsc"),
        },
        ("Hyper-V", "WSL 2"),
        used={"cpu paravirtual": "yes Hyper-V"},
    ),
    "WSL 1": Machine({**x86("vmx"), **release("4.4.0-19041-Microsoft")}, ("WSL 1",)),
    # --- one in another
    "Docker in WSL 2": Machine(
        {**x86("hypervisor"), **release("5.15.90.1-microsoft-standard-WSL2"), ".dockerenv": None, **_CONTAINED},
        ("Hyper-V", "WSL 2", "Docker"),
    ),
    "Docker in OpenVZ": Machine({**x86(""), "proc/vz/": None, ".dockerenv": None, **_CONTAINED}, ("OpenVZ", "Docker")),
    "Docker in a PVH domU in TCG": Machine(
        {
            **x86("hypervisor", _TCG_CPU, "AuthenticAMD"),
            **xen("PVH", features=_HVM, xenfs=None),
            **_XEN_FRONT,
            ".dockerenv": None,
            **_CONTAINED,
        },
        ("QEMU TCG", "Xen PVH domU 4.17.5", "Docker"),
        used={"cpu binary translation": "implied QEMU TCG", "io paravirtual": "yes Xen", "isolation namespaces": "yes"},
    ),
    "Podman in dom0 in KVM": Machine(
        {
            **x86("hypervisor"),
            **dmi(sys_vendor="QEMU", product_name="KVM"),
            **xen("PV", features=_PV_DOM0, uuid=_DOM0, xenfs=None),
            "run/.containerenv": None,
            **_CONTAINED,
        },
        ("KVM [QEMU]", "Xen PV dom0 4.17.5", "Podman"),
        used={
            "cpu paravirtual": "yes Xen",
            "cpu hardware-assisted": "implied KVM",
            "memory nested paging": "unknown KVM",
        },
        hosted=("Xen",),
    ),
    "a machine made of Docker's image": Machine(
        {**x86("hypervisor"), **clocks("tsc kvm-clock"), ".dockerenv": None, **namespaces()},
        ("KVM", "Docker (contested)"),
        used={"isolation namespaces": "no"},
        contradictions=("a file says Docker",),
    ),
    "signs of two managers": Machine(
        {**x86(""), "run/systemd/container": "lxc\n", ".dockerenv": None, **_CONTAINED},
        ("LXC (contested)", "Docker (contested)"),
        contradictions=("signs of LXC and Docker",),
    ),
}
