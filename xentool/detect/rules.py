"""What a sign means: data only. Who says so stands beside each table.

Ref: systemd src/basic/virt.c, virt-what.in, Linux arch/x86/kernel/cpu and drivers/xen, Xen tools/misc/xen-detect.c
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from xentool.detect.model import Kind, State

XEN: Final = "Xen"
KVM: Final = "KVM"
QEMU: Final = "QEMU"
TCG: Final = "QEMU TCG"
HYPERV: Final = "Hyper-V"
VMWARE: Final = "VMware"
VIRTUALBOX: Final = "VirtualBox"
PARALLELS: Final = "Parallels"
BHYVE: Final = "bhyve"
APPLE: Final = "Apple Virtualization"
ACRN: Final = "ACRN"
UML: Final = "User-Mode Linux"
VMM: Final = "OpenBSD vmm"
NVMM: Final = "NetBSD NVMM"
QNX: Final = "QNX Hypervisor"
SRE: Final = "LMHS SRE"
HAXM: Final = "Intel HAXM"
JAILHOUSE: Final = "Jailhouse"
BOCHS: Final = "Bochs"
ZVM: Final = "z/VM"
POWERVM: Final = "PowerVM"
UNKNOWN: Final = "unknown hypervisor"

TRANSLATION: Final = "binary translation"
PARAVIRTUAL: Final = "paravirtual"
HARDWARE: Final = "hardware-assisted"
SHADOW: Final = "shadow paging"
DIRECT: Final = "direct paging"
NESTED: Final = "nested paging"
EMULATED: Final = "emulated"
PASSTHROUGH: Final = "passthrough"
IOMMU: Final = "IOMMU"
SRIOV: Final = "SR-IOV"
NAMESPACES: Final = "namespaces"

#: How a technique may be had: state and reason, for a guest of one hypervisor.
Design = Mapping[str, tuple[State, str]]

_HARDWARE_ONLY: Design = {
    TRANSLATION: ("no", "it has no binary translator"),
    HARDWARE: ("implied", "it runs guests by VT-x, AMD-V or ARM's EL2 and no other way"),
    DIRECT: ("no", "a guest's page tables are not registered with it"),
}
_NOT_TOLD = "it has both ways, and a guest is not told which is in use"
_SHADOW_OR_NESTED: Design = {SHADOW: ("unknown", _NOT_TOLD), NESTED: ("unknown", _NOT_TOLD)}
_NESTED_ONLY: Design = {
    SHADOW: ("no", "it needs nested paging"),
    NESTED: ("implied", "it needs EPT, NPT or ARM's stage 2"),
}
_BOTH_CPU = "it translated code in older versions, and uses VT-x or AMD-V; a guest is not told which"


@dataclass(frozen=True)
class Hypervisor:
    """A hypervisor: its kind, what to know about that, and what follows from its design for a guest."""

    kind: Kind
    note: str = ""
    design: Design = field(default_factory=dict)


HYPERVISORS: Mapping[str, Hypervisor] = {
    XEN: Hypervisor("type-1", "made for the bare machine; dom0 is its first guest and drives the hardware for it"),
    KVM: Hypervisor(
        "type-2",
        "part of a Linux host, its VMs are processes there; as that kernel is the hypervisor, some count it as Type-1",
        {
            **_HARDWARE_ONLY,
            # PVM is KVM without them, but no part of Linux.
            HARDWARE: ("implied", "Linux's KVM runs guests by VT-x, AMD-V or ARM's EL2 and no other way"),
            **_SHADOW_OR_NESTED,
        },
    ),
    TCG: Hypervisor(
        "type-2",
        "an emulator in a process of its host",
        {
            TRANSLATION: ("implied", "TCG translates the guest's code, block by block"),
            HARDWARE: ("no", "TCG runs no guest code on the CPU as it is"),
            SHADOW: ("no", "QEMU looks the guest's page tables up in software (softmmu)"),
            DIRECT: ("no", "QEMU looks the guest's page tables up in software (softmmu)"),
            NESTED: ("no", "QEMU looks the guest's page tables up in software (softmmu)"),
        },
    ),
    QEMU: Hypervisor(
        "type-2",
        "a process of its host, there accelerated or not",
        dict.fromkeys(
            (TRANSLATION, HARDWARE, SHADOW, NESTED), ("unknown", "QEMU translates (TCG) or uses KVM and the like")
        ),
    ),
    HYPERV: Hypervisor(
        "type-1", "made for the bare machine; Windows is its root partition", {**_HARDWARE_ONLY, **_SHADOW_OR_NESTED}
    ),
    VMWARE: Hypervisor(
        "unknown",
        "ESXi is Type-1, Workstation and Fusion are Type-2; a guest is not told which",
        {TRANSLATION: ("unknown", _BOTH_CPU), HARDWARE: ("unknown", _BOTH_CPU), **_SHADOW_OR_NESTED},
    ),
    VIRTUALBOX: Hypervisor(
        "type-2",
        "a process and a driver in a host's operating system",
        {TRANSLATION: ("unknown", _BOTH_CPU), HARDWARE: ("unknown", _BOTH_CPU), **_SHADOW_OR_NESTED},
    ),
    PARALLELS: Hypervisor("type-2", "a process of its host"),
    BHYVE: Hypervisor("type-2", "part of a FreeBSD host", {**_HARDWARE_ONLY, **_NESTED_ONLY}),
    APPLE: Hypervisor("type-2", "part of a macOS host", _HARDWARE_ONLY),
    ACRN: Hypervisor("type-1", "made for the bare machine", {**_HARDWARE_ONLY, **_NESTED_ONLY}),
    UML: Hypervisor(
        "type-2",
        "a Linux kernel as a process of its host",
        {
            PARAVIRTUAL: ("implied", "it is a port of Linux to Linux's system calls"),
            TRANSLATION: ("no", "its code runs as it is"),
            HARDWARE: ("no", "its code runs as any process does"),
        },
    ),
    VMM: Hypervisor("type-2", "part of an OpenBSD host", {**_HARDWARE_ONLY, **_NESTED_ONLY}),
    NVMM: Hypervisor("type-2", "part of a NetBSD host", {**_HARDWARE_ONLY, **_NESTED_ONLY}),
    QNX: Hypervisor("type-1", "a microkernel made for the bare machine", _HARDWARE_ONLY),
    SRE: Hypervisor("type-1", "made for the bare machine", _HARDWARE_ONLY),
    HAXM: Hypervisor("type-2", "a driver in a Windows or macOS host", _HARDWARE_ONLY),
    JAILHOUSE: Hypervisor(
        "type-1", "parts the bare machine, started by the Linux that had it", {**_HARDWARE_ONLY, **_NESTED_ONLY}
    ),
    BOCHS: Hypervisor(
        "type-2",
        "an interpreter in a process of its host",
        {
            TRANSLATION: ("no", "Bochs interprets the guest's code"),
            HARDWARE: ("no", "Bochs runs no guest code on the CPU as it is"),
        },
    ),
    ZVM: Hypervisor("type-1", "made for the bare machine, where that is a partition (LPAR) of its own firmware's"),
    POWERVM: Hypervisor("type-1", "part of the machine's firmware"),
    UNKNOWN: Hypervisor("unknown"),
}

_XEN_HVM: Design = {
    TRANSLATION: ("no", "Xen has no binary translator"),
    HARDWARE: ("implied", "Xen runs HVM and PVH guests by VT-x or AMD-V only"),
    DIRECT: ("no", "only PV guests register their page tables with Xen"),
    SHADOW: ("unknown", "Xen takes nested paging where the CPU has it, else shadow; a guest is not told"),
    NESTED: ("unknown", "Xen takes nested paging where the CPU has it, else shadow; a guest is not told"),
}
#: What a Xen domain's mode means; without a mode, nothing follows.
XEN_MODES: Mapping[str, Design] = {
    "PV": {
        PARAVIRTUAL: ("yes", "a PV kernel enters Xen by hypercalls instead of privileged instructions"),
        DIRECT: ("implied", "a PV guest's own page tables are the CPU's; Xen validates each change (mmu_update)"),
        TRANSLATION: ("no", "Xen has no binary translator"),
        HARDWARE: ("no", "Xen runs PV guests in ring 3 or 1, without VT-x or AMD-V"),
        SHADOW: ("no", "Xen shadows PV guests only while they migrate, or as a defence against L1TF"),
        NESTED: ("no", "nested paging is for HVM and PVH guests"),
        EMULATED: ("no", "a PV domain has no device model"),
    },
    "HVM": {**_XEN_HVM, EMULATED: ("implied", "an HVM domain has a device model (QEMU)")},
    "PVH": {**_XEN_HVM, EMULATED: ("no", "a PVH domain has no device model")},
}
#: Whatever its mode.
DOM0: Design = {PASSTHROUGH: ("implied", "dom0 drives the devices that Xen finds itself")}
_ARM_STAGE2: Design = {SHADOW: ("no", "ARM has stage 2"), NESTED: ("implied", "by ARM's stage 2 translation")}
#: On ARM these know no other way.
ARM: Mapping[str, Design] = {
    XEN: {
        TRANSLATION: ("no", "Xen has no binary translator"),
        HARDWARE: ("implied", "Xen on ARM runs all guests by EL2"),
        DIRECT: ("no", "Xen on ARM has no PV guests"),
        **_ARM_STAGE2,
    },
    KVM: _ARM_STAGE2,
}
#: VirtualBox runs 64-bit guests by VT-x or AMD-V only. Ref: its manual, "Hardware Virtualization"
VIRTUALBOX_64: Design = {
    TRANSLATION: ("no", "VirtualBox never translated 64-bit guests"),
    HARDWARE: ("implied", "VirtualBox runs 64-bit guests by VT-x or AMD-V only"),
}

#: CPUID 0x40000000 and up, ebx, ecx, edx
CPUID_SIGNATURES: Mapping[str, str] = {
    "XenVMMXenVMM": XEN,
    "KVMKVMKVM": KVM,
    "Linux KVM Hv": KVM,
    "TCGTCGTCGTCG": TCG,
    "VMwareVMware": VMWARE,
    "Microsoft Hv": HYPERV,
    "VBoxVBoxVBox": VIRTUALBOX,
    "bhyve bhyve ": BHYVE,
    "ACRNACRNACRN": ACRN,
    "Apple VZ": APPLE,
    "OpenBSDVMM58": VMM,
    "___ NVMM ___": NVMM,
    "BHyVE BHyVE ": BHYVE,
    "QNXQVMBSQG": QNX,
    " QNXQVMBSQG ": QNX,
    "SRESRESRESRE": SRE,
    "HAXMHAXMHAXM": HAXM,
    "Jailhouse": JAILHOUSE,
    " lrpepyh  vr": PARALLELS,
    "LKVMLKVMLKVM": KVM,
}

#: Beginnings, in whole words, of what firmware says in /sys/class/dmi/id: hypervisor, and product where that is another
#: thing. No makers of bare machines too: Oracle's and Nutanix' servers bear their names, and run Xen.
DMI: tuple[tuple[str, str, str | None], ...] = (
    ("Amazon EC2", KVM, "Amazon EC2 (Nitro)"),
    ("Google Compute Engine", KVM, "Google Compute Engine"),
    ("RHEV Hypervisor", KVM, "RHEV"),
    ("oVirt", KVM, "oVirt"),
    ("OpenStack", QEMU, "OpenStack"),
    ("KubeVirt", QEMU, "KubeVirt"),
    ("AHV", KVM, "Nutanix AHV"),
    ("KVM", KVM, None),
    ("QEMU", QEMU, None),
    ("Bochs", BOCHS, None),
    ("OpenBSD", VMM, None),
    ("VMware", VMWARE, None),
    ("VMW", VMWARE, None),
    ("innotek GmbH", VIRTUALBOX, None),
    ("VirtualBox", VIRTUALBOX, None),
    ("Xen", XEN, None),
    ("HVM domU", XEN, None),
    ("Parallels", PARALLELS, None),
    ("BHYVE", BHYVE, None),
    ("Hyper-V", HYPERV, None),
    ("Apple Virtualization", APPLE, None),
)
#: In this order, as product names tell KVM from plain QEMU.
DMI_FILES = tuple(
    f"/sys/class/dmi/id/{name}"
    for name in ("product_name", "sys_vendor", "board_vendor", "board_name", "bios_vendor", "product_version")
)
#: What Amazon's firmware says: of its KVM, and of Xen's interface on it; its Xen has Xen's firmware, and versions of
#: its own ("4.11.amazon").
EC2: Final = "Amazon EC2"
EC2_VERSION: Final = "amazon"
#: Of a machine that is rented whole.
METAL = ".metal"

#: OEM id of ACPI tables (bytes 10 to 15 of the header): hypervisor, product.
ACPI_OEM: Mapping[str, tuple[str, str | None]] = {
    "FIRECK": (KVM, "Firecracker"),
    "Xen": (XEN, None),
    "VBOX": (VIRTUALBOX, None),
    "VRTUAL": (HYPERV, None),
    "BHYVE": (BHYVE, None),
}

#: Beginnings of the clock sources that Linux registers for a hypervisor's paravirtual clock.
CLOCKSOURCES: Mapping[str, str] = {"kvm-clock": KVM, "xen": XEN, "hyperv_clocksource": HYPERV}

#: Parts of the device tree's /hypervisor/compatible
DEVICE_TREE: Mapping[str, str] = {"linux,kvm": KVM, "xen,": XEN, "vmware": VMWARE}

#: Parts of the device tree's /compatible
PLATFORMS: Mapping[str, str] = {"qemu,pseries": QEMU}
#: A machine that is virtual, and does not say whose. Ref: QEMU hw/arm/virt.c, kvmtool arm/fdt.c
VIRTUAL_PLATFORM = "linux,dummy-virt"
#: Nodes of the device tree that PowerVM makes for its partitions, and one that QEMU makes, which imitates it.
POWERVM_NODES = ("ibm,partition-name", "hmc-managed?")
POWERVM_NOT = "/proc/device-tree/chosen/qemu,graphic-width"
#: "VM00 Control Program" in /proc/sysinfo of s390; all but z/VM are KVM.
CONTROL_PROGRAMS: Mapping[str, str] = {"z/VM": ZVM}

#: Beginnings of "model name" or "vendor_id" in /proc/cpuinfo: hypervisor, and product. TCG's own CPU names itself so in
#: its guests' guests too; kvmtool gave its CPUs a vendor until 2022.
CPU_NAMES: Mapping[str, tuple[str, str | None]] = {
    "QEMU TCG CPU": (TCG, None),
    "QEMU Virtual CPU": (QEMU, None),
    "LKVMLKVMLKVM": (KVM, "kvmtool"),
    "User Mode Linux": (UML, None),
}

#: (what it is, what it also looks like): shows the other's interface to guests that know it.
PRESENTS: tuple[tuple[str, str], ...] = (
    (VIRTUALBOX, KVM),
    (VIRTUALBOX, HYPERV),
    (PARALLELS, KVM),
    (KVM, HYPERV),
    (XEN, HYPERV),
    (KVM, XEN),
)

#: CPU flags by which guests can be run, and the modules of KVM that do.
CPU_EXTENSIONS: Mapping[str, str] = {"vmx": "VT-x", "svm": "AMD-V"}
KVM_MODULES = ("kvm_intel", "kvm_amd", "kvm_pvm")
#: PVM runs KVM guests by hypercalls and shadow page tables, without VT-x or AMD-V. Ref: LWN 963718
PVM = "kvm_pvm"
#: Whether KVM has nested paging on, and how that is called there.
KVM_NESTED_PAGING: Mapping[str, str] = {
    "/sys/module/kvm_intel/parameters/ept": "EPT",
    "/sys/module/kvm_amd/parameters/npt": "NPT",
}
#: dom0's halves of Xen's devices, and the kernel's of virtio's.
BACKEND_MODULES = ("xen_blkback", "xen_netback", "vhost_net")
#: Other hypervisors' modules in a host.
HOST_MODULES: Mapping[str, str] = {"vboxdrv": VIRTUALBOX, "vmmon": VMWARE}

#: What container managers call themselves, in PID 1's ``container=`` and the files of systemd's container interface.
CONTAINERS: Mapping[str, str] = {
    "lxc": "LXC",
    "lxc-libvirt": "LXC (libvirt)",
    "systemd-nspawn": "systemd-nspawn",
    "docker": "Docker",
    "podman": "Podman",
    "oci": "OCI container",
    "crio": "CRI-O",
    "rkt": "rkt",
    "proot": "PRoot",
    "pouch": "Pouch",
    "wsl": "WSL 2",
}
CONTAINER_FILES: Mapping[str, str] = {"/run/.containerenv": "Podman", "/.dockerenv": "Docker", "/dev/lxd/sock": "LXC"}
#: In a line of /proc/self/cgroup.
CONTAINER_CGROUPS: Mapping[str, str] = {
    r"/docker[/-][0-9a-f]{12}": "Docker",
    r"/libpod-[0-9a-f]{12}": "Podman",
    r"/lxc(\.payload)?[./]": "LXC",
    r"/crio-[0-9a-f]{12}": "CRI-O",
}
#: Inode numbers of the namespaces that Linux boots with. Ref: Linux include/linux/proc_ns.h
INITIAL_NAMESPACES: Mapping[str, int] = {
    "ipc": 0xEFFFFFFF,
    "uts": 0xEFFFFFFE,
    "user": 0xEFFFFFFD,
    "pid": 0xEFFFFFFC,
    "cgroup": 0xEFFFFFFB,
}

#: All on these buses is made for guests that know it; who made it, where only one does.
PARAVIRTUAL_BUSES: Mapping[str, str | None] = {"xen": XEN, "virtio": None, "vmbus": HYPERV}
PARAVIRTUAL_PCI = ("vmxnet3", "vmw_pvscsi", "vboxguest")
#: On those buses, what stands for a device that was handed through; and drivers of virtual functions only.
PASSED_THROUGH: Mapping[str, str] = {"xen": "pcifront", "vmbus": "hv_pci"}
VF_DRIVERS = ("iavf", "i40evf", "ixgbevf", "igbvf")
#: PCI vendors of hypervisors: of a device, or of a subsystem where they imitate another maker's device.
EMULATORS = ("1AF4", "1234", "1B36", "5853", "15AD", "80EE", "1414")
#: Vendor of virtio devices, which are on the PCI bus too.
VIRTIO_VENDOR = "1AF4"
#: Drivers that hold a device ready for a guest.
HANDED_OUT = ("vfio-pci", "pciback", "xen-pciback", "pci-stub")
#: How PCI_CLASS of a bridge to other PCI devices begins: base class and subclass, without leading zeros.
BRIDGE_CLASS = "604"
#: ACPI tables that describe an IOMMU.
IOMMU_TABLES = ("DMAR", "IVRS")

XENFEAT_AUTO_TRANSLATED_PHYSMAP = 2
XENFEAT_DOM0 = 11
