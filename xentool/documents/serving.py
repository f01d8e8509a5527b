"""What those tell who serve devices: a line for each device at the end, with ``--interval`` again and again."""

from typing import Literal, TypedDict


class Disk(TypedDict):
    """A line of ``xentool block serve --json``: a disk, and what was done since it was plugged in."""

    schema: Literal["xentool.served.disk/1"]
    domid: int
    device: str  # as the guest calls it
    queues: int  # that run
    requests: int
    reads: int
    writes: int
    sectors_read: int  # of 512 bytes
    sectors_written: int
    flushes: int
    discards: int
    errors: int  # requests answered with an error
    notifications_sent: int
    notifications_received: int
    grant_maps: int
    grant_unmaps: int
    grant_copies: int  # pieces copied
    syscalls: int  # of the queues, for data, notifications, waits and grants


class Ring(TypedDict):
    """A line of ``xentool block serve --watch``: a ring in one moment. Indices are of 32 bits, and wrap."""

    schema: Literal["xentool.served.ring/1"]
    domid: int
    device: str  # as the guest calls it
    queue: int
    slots: int  # of the ring
    req_prod: int  # requests that the frontend has shown
    req_cons: int  # requests that were taken
    rsp_prod: int  # responses that were shown to the frontend
    req_event: int  # the request at which the backend wants to be notified
    rsp_event: int  # the response at which the frontend does
    waiting: int  # requests that were not taken yet
    under_way: int  # requests that were taken and not answered
    grants_mapped: int  # pages of requests that are mapped now
    requests: int  # done since the queue began
    notifications_sent: int
    notifications_received: int


class VifRing(TypedDict):
    """A line of ``xentool net serve --watch``: one of a queue's two rings in one moment. Indices wrap at 2^32.

    What the frontend posts on rx are pages, which are answered when a frame lies in them.
    """

    schema: Literal["xentool.served.vif.ring/1"]
    domid: int
    device: str  # as the guest's directory calls it
    queue: int
    ring: Literal["tx", "rx"]  # what the guest sends, what it is sent
    slots: int  # of the ring
    req_prod: int  # requests that the frontend has shown
    req_cons: int  # requests that were taken
    rsp_prod: int  # responses that were shown to the frontend
    req_event: int  # the request at which the backend wants to be notified
    rsp_event: int  # the response at which the frontend does
    waiting: int  # requests that were not taken yet
    under_way: int  # requests that were taken and not answered: of rx, pages without a frame
    packets: int  # that went through the ring since the queue began
    grant_copies: int  # pieces copied out of granted pages and into them, of both rings
    notifications_sent: int  # likewise of both, like the next
    notifications_received: int


class Vif(TypedDict):
    """A line of ``xentool net serve --json``: an interface, and what was done since it was plugged in."""

    schema: Literal["xentool.served.vif/1"]
    domid: int
    device: str  # as the guest's directory calls it
    queues: int  # that run
    tx_packets: int  # what the guest sent
    tx_bytes: int
    tx_errors: int  # packets that made no sense, or could not be copied
    tx_slots: int  # of the ring, extras and all
    rx_packets: int  # what the guest was sent
    rx_bytes: int
    rx_errors: int
    rx_slots: int
    dropped: int  # frames that the port did not take
    grant_copies: int
    notifications_sent: int
    notifications_received: int
    syscalls: int
