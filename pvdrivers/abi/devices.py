"""What Linux's devices for userspace drivers take: requests and their structs, for 64 bits.

Ref: Linux include/uapi/xen/{gntdev,gntalloc,evtchn}.h; Xen's copies: tools/include/xen-sys/Linux/
"""

from pvdrivers.abi.layout import layout

# Structs with a trailing array count one element of it; more follow as need be.
GRANT_REF = layout("ioctl_gntdev_grant_ref", 8, domid="I", ref="I")
MAP_GRANT_REF = layout("ioctl_gntdev_map_grant_ref", 8, count="I", pad="I", index="Q", refs=(GRANT_REF, 1))
UNMAP_GRANT_REF = layout("ioctl_gntdev_unmap_grant_ref", 8, index="Q", count="I", pad="I")
#: The two ways of a segment: a page of another domain as source, or as destination; the other side is an address.
COPY_FROM = layout(
    "ioctl_gntdev_grant_copy_segment", 8, ref="I", offset="H", domid="H", virt="Q", len="H", flags="H", status="h"
)
COPY_TO = layout(
    "ioctl_gntdev_grant_copy_segment", 8, virt="Q", ref="I", offset="H", domid="H", len="H", flags="H", status="h"
)
GRANT_COPY = layout("ioctl_gntdev_grant_copy", 8, count="I", segments="Q")
GNTCOPY_SOURCE_GREF = 1
GNTCOPY_DEST_GREF = 2

ALLOC_GREF = layout("ioctl_gntalloc_alloc_gref", 8, domid="H", flags="H", count="I", index="Q", gref_ids="I")
DEALLOC_GREF = layout("ioctl_gntalloc_dealloc_gref", 8, index="Q", count="I")
GNTALLOC_FLAG_WRITABLE = 1

BIND_INTERDOMAIN = layout("ioctl_evtchn_bind_interdomain", 8, remote_domain="I", remote_port="I")
BIND_UNBOUND_PORT = layout("ioctl_evtchn_bind_unbound_port", 8, remote_domain="I")
NOTIFY = layout("ioctl_evtchn_notify", 8, port="I")


def _ioc(kind: str, number: int, size: int) -> int:
    # _IOC(_IOC_NONE, ...), asm-generic/ioctl.h
    return size << 16 | ord(kind) << 8 | number


IOCTL_GNTDEV_MAP_GRANT_REF = _ioc("G", 0, MAP_GRANT_REF.size)
IOCTL_GNTDEV_UNMAP_GRANT_REF = _ioc("G", 1, UNMAP_GRANT_REF.size)
IOCTL_GNTDEV_GRANT_COPY = _ioc("G", 8, GRANT_COPY.size)
IOCTL_GNTALLOC_ALLOC_GREF = _ioc("G", 5, ALLOC_GREF.size)
IOCTL_GNTALLOC_DEALLOC_GREF = _ioc("G", 6, DEALLOC_GREF.size)
IOCTL_EVTCHN_BIND_INTERDOMAIN = _ioc("E", 1, BIND_INTERDOMAIN.size)
IOCTL_EVTCHN_BIND_UNBOUND_PORT = _ioc("E", 2, BIND_UNBOUND_PORT.size)
IOCTL_EVTCHN_NOTIFY = _ioc("E", 4, NOTIFY.size)
