"""Grants and event channels, as Xen's console tells them, with the names that XenStore has."""

from typing import Literal, TypedDict


class Said(TypedDict):
    """What looks wrong with a domain's grants or ports."""

    domid: int
    finding: str


class Grants(TypedDict):
    """``xentool grants --json``: a domain's grants that are in use."""

    schema: Literal["xentool.grants/1"]
    domid: int
    version: int | None  # of the table's format
    frames: int | None  # pages of the table
    frames_max: int | None
    grants: "list[Grant]"
    findings: "list[Said]"
    unread_lines: list[str]  # of Xen's console
    unlisted: list[str]  # of XenStore


class Grant(TypedDict):
    """A grant."""

    gref: int
    mapper: int
    mfn: int  # the page in the machine
    gfn: int  # the granter's own number for it
    kind: str  # access, transfer, transitive
    read_only: bool
    writable_maps: int
    read_only_maps: int
    device_maps: int  # for devices (IOMMU), among them
    name: str | None  # what it is for


class EventChannels(TypedDict):
    """``xentool evtchn --json``: a domain's ports."""

    schema: Literal["xentool.evtchn/1"]
    domid: int
    ports: "list[Port]"
    findings: "list[Said]"
    unread_lines: list[str]
    unlisted: list[str]


class Port(TypedDict):
    """One end of an event channel."""

    domid: int
    port: int
    kind: str  # unbound, interdomain, pirq, virq, ipi, reserved
    pending: bool
    masked: bool
    vcpu: int  # which is told
    for_xen: bool  # whether Xen itself listens
    remote_domid: int | None
    remote_port: int | None
    source: str | None  # name of a virq, number of a pirq
    name: str | None  # which device it serves


class Channels(TypedDict):
    """``xentool channels --json``: which domains are connected."""

    schema: Literal["xentool.channels/1"]
    domains: "list[Named]"
    connections: "list[Connection]"
    findings: "list[Said]"
    unread_lines: list[str]
    unlisted: list[str]


class Named(TypedDict):
    """A domain."""

    domid: int
    name: str | None


class Connection(TypedDict):
    """What connects two domains; twice the same for a domain's channels to itself."""

    domids: list[int]
    channels: "list[Channel]"
    grants: "list[Used]"


class Channel(TypedDict):
    """An event channel: the ports at both ends."""

    ports: list[int]
    name: str | None


class Used(TypedDict):
    """Pages of one that the other uses."""

    granter: int
    mapper: int
    pages: int
