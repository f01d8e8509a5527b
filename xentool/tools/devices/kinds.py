"""Kinds of PV devices as toolstacks name them in XenStore: data only.

Ref: Xen tools/libs/light/libxl_types_internal.idl (device_kind) and libxl_{disk,9pfs,vkb,usb,console}.c;
xen-api ocaml/xenopsd/xc/device_common.ml; xen/include/public/io
"""

from collections.abc import Mapping

#: Backends that serve another kind of frontend than their own name says.
SERVES: Mapping[str, str] = {
    "vbd3": "vbd",  # tapback: XCP-ng, XenServer, libxl's "tap" since 4.18
    "qdisk": "vbd",
    "udisk": "vbd",  # `xentool block serve`
    "tap": "vbd",  # blktap 1 and 2
    "qnic": "vif",
    "uvif": "vif",  # `xentool net serve`
    "unet": "uvif",
    "qusb": "vusb",
    "vinput": "vkbd",
    "xen_9pfs": "9pfs",
}

#: Backends that a program of ours is, and no toolstack knows.
OURS = frozenset({"udisk", "uvbd", "uvif", "unet"})

#: All that are known, of either end.
KNOWN = frozenset(
    {
        *SERVES,
        *SERVES.values(),
        *("console", "vuart", "vfb", "pci", "vtpm", "vscsi", "vsnd", "vdispl", "pvcalls", "argo"),
        *("virtio", "virtio_disk", "net-sriov-vf"),
    }
)

#: Kinds of frontends whose devid is that of a disk. Ref: xen-vbd-interface(7)
DISKS = frozenset({"vbd", "uvbd"})
#: Kinds of frontends that are disks.
BLOCK = DISKS | {"virtio_disk"}
#: Kinds of frontends that are network interfaces.
NETS = frozenset({"vif", "uvif"})
#: Kinds whose frontends share a ring and a port for each of their queues under the nodes' own names.
QUEUES = DISKS | NETS

#: Kinds of which an end writes no states: xenconsoled's, and devices that the guest knows from elsewhere than XenStore
#: (virtio's from its device tree or ACPI, an SR-IOV function from its PCI bus).
NO_HANDSHAKE = frozenset({"console", "vuart", "virtio", "virtio_disk", "net-sriov-vf"})
