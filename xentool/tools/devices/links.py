"""Vifs whose ends say that all is well, or who is waited for, and what more can be known of them; pure.

A netback that gives a vif up for a broken ring leaves it Connected in XenStore, as it does one whose guest takes no
packets: what tells is the carrier of its network device.

Ref: Linux drivers/net/xen-netback (``xenvif_fatal_tx_err``, ``xenvif_carrier_off``, ``hotplug_status_changed``);
tools/hotplug/Linux/vif-common.sh
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xentool.tools.devices import kinds
from xentool.tools.devices.paired import Device, End

#: Prints what `parse` reads, of all network devices in dom0. A device that is down cannot say whether it has a carrier.
COMMAND = ("sh", "-c", "cd /sys/class/net && grep -Hs . */flags */carrier */statistics/[rt]x_packets")
_LINE = re.compile(r"(?P<name>[^/:]{1,15})/(?P<node>flags|carrier|statistics/[rt]x_packets):(?P<value>0x[\da-f]+|\d+)")
_UP = 1
_NETBACK = re.compile(r"/local/domain/0/backend/vif/(\d{1,5})/(\d{1,10})", re.ASCII)


@dataclass(frozen=True)
class Link:
    """A network device.

    :param carrier: None while it is down
    :param received: packets that came from the guest
    :param sent: packets for it
    """

    up: bool
    carrier: bool | None
    received: int
    sent: int


def parse(text: str) -> dict[str, Link]:
    """Read what `COMMAND` prints; give the network devices by name."""
    found: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            found.setdefault(match["name"], {})[match["node"]] = int(match["value"], 0)
    return {
        name: Link(
            bool(values["flags"] & _UP),
            bool(values["carrier"]) if "carrier" in values else None,
            values.get("statistics/rx_packets", 0),
            values.get("statistics/tx_packets", 0),
        )
        for name, values in found.items()
        if "flags" in values
    }


def netdev(device: Device) -> str | None:
    """Name the network device in dom0 that netback has for a vif; None for another's."""
    if device.kind not in kinds.NETS or device.back is None:
        return None
    match = _NETBACK.fullmatch(device.back.path)
    return match and (device.back.nodes.get("vifname") or f"vif{match[1]}.{match[2]}")


def broken(device: Device, back: End, links: Mapping[str, Link]) -> Iterator[str]:
    """Say what is wrong with a vif of which both ends are Connected.

    :param links: of dom0
    """
    if back.nodes.get("carrier") == "0":
        port = back.nodes.get("port")
        yield f"both ends are Connected, but the backend says that its port{f' ({port})' if port else ''} is down"
    name = netdev(device)
    link = links.get(name or "")
    if link is None:
        return
    if not link.up:
        yield f"both ends are Connected, but {name} in dom0 is down: `ip link set {name} up`"
    elif not link.carrier:
        yield (
            f"both ends are Connected, but {name} in dom0 has no carrier after {link.received} packets from the guest "
            f"and {link.sent} for it: netback has given up its ring (`dmesg` says `fatal error`: only plugging it out "
            "and in again helps), or waits for the guest to take packets (`Guest Rx stalled`)"
        )


def waiting(back: End) -> str | None:
    """Say why a netback does not follow its frontend, and what to do; None if that is not for want of a script.

    It reads ``hotplug-status``, which the toolstack makes, and which its script is to set.
    """
    status = back.nodes.get("hotplug-status")
    if status is None:
        return None
    if status == "connected":
        return "the frontend is connected, its script has run, and the backend does not follow: `dmesg` may tell why"
    by_hand = f"`xentool store write {back.path}/hotplug-status connected`"
    if script := back.nodes.get("script"):
        return (
            f"the backend waits for hotplug-status, which {script} sets (/var/log/xen/xen-hotplug.log); "
            f"where the network was joined by hand, {by_hand}"
        )
    return f"the backend waits for hotplug-status, and no script is named that sets it: join its network, and {by_hand}"
