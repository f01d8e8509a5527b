"""What the rings of served vifs show in one moment; the threads that serve them are not asked, and do not wait."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pvdrivers.net.back.backend import Backend
    from xentool.tools.net.vifs import Wanted
    from xentool.tools.serving.service import Service


def rings(service: "Service[Wanted, Backend]") -> Iterator[dict[str, Any]]:
    """Give a document for each ring that is served, in order of domains, vifs and queues: tx before rx."""
    for spot, device in service.served():
        for number, queue in enumerate(device.running):
            both, done = queue.indices, queue.stats
            if both is None:
                # It ended since it was looked for.
                continue
            packets = done.tx_packets, done.rx_packets
            for ring, indices, slots, passed in zip(("tx", "rx"), both, queue.slots, packets, strict=True):
                yield {
                    "schema": "xentool.served.vif.ring/1",
                    "domid": spot.domid,
                    "device": f"{spot.kind}{spot.devid}",
                    "queue": number,
                    "ring": ring,
                    "slots": slots,
                    **indices._asdict(),
                    "waiting": indices.waiting,
                    "under_way": indices.under_way,
                    "packets": passed,
                    "grant_copies": done.grant_copies,
                    "notifications_sent": done.notifications_sent,
                    "notifications_received": done.notifications_received,
                }
