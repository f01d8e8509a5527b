"""What the rings of served disks show in one moment; the threads that serve them are not asked, and do not wait."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from xentool.tools.devices import vdev

if TYPE_CHECKING:
    from pvdrivers.block.back.backend import Backend
    from xentool.tools.block.disks import Wanted
    from xentool.tools.serving.service import Service


def rings(service: "Service[Wanted, Backend]") -> Iterator[dict[str, Any]]:
    """Give a document for each ring that is served, in order of domains, disks and queues."""
    for spot, device in service.served():
        for number, queue in enumerate(device.running):
            indices, done = queue.indices, queue.stats
            if indices is None:
                # It ended since it was looked for.
                continue
            yield {
                "schema": "xentool.served.ring/1",
                "domid": spot.domid,
                "device": vdev.name(spot.devid),
                "queue": number,
                "slots": queue.slots,
                **indices._asdict(),
                "waiting": indices.waiting,
                "under_way": indices.under_way,
                "grants_mapped": done.grant_maps - done.grant_unmaps,
                "requests": done.requests,
                "notifications_sent": done.notifications_sent,
                "notifications_received": done.notifications_received,
            }
