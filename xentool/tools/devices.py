"""PV devices as XenStore tells them, both ends of each.

Law: pure functions of what was read from XenStore. A frontend's nodes are the guest's own to write, a backend's those
of its driver domain: nothing here trusts a value, follows a path that one names, or raises for what a node holds.

Ref: docs/misc/xenstore-paths.pandoc; xen/include/public/io/{xenbus,blkif,netif,console}.h
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pvdrivers.abi.xenbus import XenbusState
from xentool.tools import vdev

# Domids have 15 bits and devids 32; a guest that makes up longer ones names no device.
_DOMID = r"(\d{1,5})"
_DEVID = r"(\d{1,10})"
_FRONT = re.compile(rf"/local/domain/{_DOMID}/(?:device/([\w-]+)/{_DEVID}|(console))(?:/(.+))?", re.ASCII)
_BACK = re.compile(rf"/local/domain/{_DOMID}/backend/([\w-]+)/{_DOMID}/{_DEVID}(?:/(.+))?", re.ASCII)
#: Backends that serve another kind of frontend than their own name says.
_SERVES = {"qdisk": "vbd", "udisk": "vbd", "tap": "vbd", "qnic": "vif", "qusb": "vusb"}

_QUEUE = re.compile(r"(?:queue-(?P<queue>\d{1,4})/)?(?P<node>[a-z0-9-]+)")
#: Several pages of one ring are ring-ref0, ring-ref1, ...
_RING = re.compile(r"(?P<ring>(?:[a-z]+-)*(?:ring-ref|page-ref|gref))(?P<page>\d{0,2})")
_PORT = re.compile(r"event-channel(?:-[a-z]+)?|port")
#: Kinds of devices whose ends write no states: xenconsoled and the console's driver.
NO_HANDSHAKE = {"console"}
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)

_FEATURE = re.compile(r"(?:feature-|request-|multi-queue-|max-|ring-page-order).*")
_STATES = {str(state.value): state for state in XenbusState}

#: A frontend's domain, the kind of device, and its number there.
Key = tuple[int, str, int]

#: Nodes by which a frontend answers a backend's offer that is called otherwise.
_ANSWERS = {
    "request-rx-copy": "feature-rx-copy",
    "multi-queue-num-queues": "multi-queue-max-queues",
    "ring-page-order": "max-ring-page-order",
}

#: What is worth showing of a kind of device, and which end to believe.
_DETAILS: dict[str, tuple[tuple[str, str], ...]] = {
    "vbd": (("back", "mode"), ("back", "params"), ("back", "physical-device-path"), ("back", "type")),
    "vif": (("back", "mac"), ("back", "bridge"), ("front", "mtu")),
    "console": (("front", "type"), ("front", "tty")),
}


@dataclass(frozen=True)
class End:
    """One end of a device.

    :param state: None when its node is missing or holds no state
    :param state_text: what that node holds; None when it is missing
    :param features: what it offers or asks for: ``feature-*``, ``request-*``, ``multi-queue-*``, ``max-*``, by node
    :param error: what its driver complained of, under ``error/`` in its domain's home
    """

    domid: int
    path: str
    state: XenbusState | None
    state_text: str | None
    features: dict[str, str]
    error: str | None
    nodes: dict[str, str]


@dataclass(frozen=True)
class Queue:
    """What a frontend shares for one queue.

    :param queue: its number; None when the device has no more than one and does not number it
    :param rings: pages of each ring, by the ring's node: grant references, but frame numbers for the first console
    :param ports: the frontend's event channel ports by node
    """

    queue: int | None
    rings: dict[str, tuple[int, ...]]
    ports: dict[str, int]


@dataclass(frozen=True)
class Device:
    """A PV device.

    :param kind: vbd, vif, console, vkbd, ...
    :param name: as the guest calls it, where that is known: xvda; else kind and devid
    :param domid: the frontend's domain
    :param front: None when it is gone or was never made
    :param unreadable: the frontend's nodes that should hold a number and don't, with what they hold
    """

    domid: int
    kind: str
    devid: int
    name: str
    front: End | None
    back: End | None
    queues: tuple[Queue, ...]
    details: dict[str, str]
    unreadable: dict[str, str]

    @property
    def domids(self) -> set[int]:
        """The domains that its ends are in."""
        return {self.domid} if self.back is None else {self.domid, self.back.domid}


def state_name(state: XenbusState) -> str:
    """Name a state as the header and people do: InitWait."""
    return state.name.title().replace("_", "")


def end_name(end: End | None) -> str:
    """Say in which state an end is, or that there is none."""
    if end is None:
        return "missing"
    return "without a state" if end.state is None else state_name(end.state)


def text(value: bytes) -> str:
    """Make a node's value text, whatever it holds."""
    return value.decode("utf-8", "backslashreplace")


def negotiation(device: Device) -> dict[str, list[str]]:
    """Tell which features both ends have written, and which only one of them; with values that are not just 1.

    What is off (0) counts as not written.
    """
    back, front = _offers(device.back), _offers(device.front)
    answered = {_ANSWERS.get(node, node) for node in front}
    return {
        "both ends": [_feature(*each) for each in front.items() if _ANSWERS.get(each[0], each[0]) in back],
        "backend only": [_feature(*each) for each in back.items() if each[0] not in answered],
        "frontend only": [_feature(*each) for each in front.items() if _ANSWERS.get(each[0], each[0]) not in back],
    }


def _offers(end: End | None) -> dict[str, str]:
    return {} if end is None else {node: value for node, value in end.features.items() if value != "0"}


def _feature(node: str, value: str) -> str:
    name = node.removeprefix("feature-").removeprefix("request-")
    return name if value == "1" and name != node else f"{name}={value}"


def devices(nodes: Mapping[str, bytes], domid: int | None = None) -> list[Device]:
    """Find all devices, or those of which one end is in a domain, by the frontend's domain, kind and devid.

    Ends belong together by where they are in the store: /local/domain/B/backend/KIND/F/ID serves
    /local/domain/F/device/KIND/ID. A frontend that has several backends is paired with the one that it names.

    :param nodes: values by path, at least those under ``/local/domain``
    """
    fronts = dict(_ends(nodes, _FRONT, _front))
    backs: dict[Key, list[End]] = defaultdict(list)
    for key, end in _ends(nodes, _BACK, _back):
        backs[key].append(end)
    found = []
    for key in sorted(fronts.keys() | backs.keys()):
        front = fronts.get(key)
        named = front.nodes.get("backend") if front else None
        candidates = sorted(backs[key], key=lambda end: (end.path != named, end.domid))
        found.append(_device(key, front, candidates[0] if candidates else None))
        found += (_device(key, None, other) for other in candidates[1:])
    return [one for one in found if domid is None or domid in one.domids]


def _front(match: re.Match[str]) -> tuple[int, Key]:
    domid = int(match[1])
    return domid, (domid, match[2] or "console", int(match[3] or 0))


def _back(match: re.Match[str]) -> tuple[int, Key]:
    return int(match[1]), (int(match[3]), _SERVES.get(match[2], match[2]), int(match[4]))


def _ends(
    nodes: Mapping[str, bytes], pattern: re.Pattern[str], key: Callable[[re.Match[str]], tuple[int, Key]]
) -> Iterator[tuple[Key, End]]:
    places: dict[str, tuple[int, Key]] = {}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path, value in nodes.items():
        if match := pattern.fullmatch(path):
            rest = match[pattern.groups]
            top = path[: -len(rest) - 1] if rest else path
            places[top] = key(match)
            if rest:
                found[top][rest] = text(value)
    for top, (domid, of) in places.items():
        yield of, _end(nodes, domid, top, found[top])


def _end(nodes: Mapping[str, bytes], domid: int, path: str, found: dict[str, str]) -> End:
    home = f"/local/domain/{domid}/"
    error = nodes.get(f"{home}error/{path.removeprefix(home)}/error")
    held = found.get("state")
    return End(
        domid=domid,
        path=path,
        state=_STATES.get(held or ""),
        state_text=held,
        features={name: value for name, value in sorted(found.items()) if _FEATURE.fullmatch(name)},
        error=text(error) if error else None,
        nodes=found,
    )


def _device(key: Key, front: End | None, back: End | None) -> Device:
    domid, kind, devid = key
    queues, unreadable = _queues(front.nodes if front else {})
    ends = {"front": front.nodes if front else {}, "back": back.nodes if back else {}}
    details = {name: value for side, name in _DETAILS.get(kind, ()) if (value := ends[side].get(name))}
    return Device(
        domid=domid,
        kind=kind,
        devid=devid,
        name=vdev.name(devid) if kind in ("vbd", "uvbd") else f"{kind}{devid}",
        front=front,
        back=back,
        queues=queues,
        details=details,
        unreadable=unreadable,
    )


def _queues(nodes: Mapping[str, str]) -> tuple[tuple[Queue, ...], dict[str, str]]:
    rings: dict[int | None, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    ports: dict[int | None, dict[str, int]] = defaultdict(dict)
    unreadable = {}
    for path, value in nodes.items():
        match = _QUEUE.fullmatch(path)
        if match is None:
            continue
        queue = int(match["queue"]) if match["queue"] else None
        ring, port = _RING.fullmatch(match["node"]), _PORT.fullmatch(match["node"])
        if (ring or port) and not _NUMBER.fullmatch(value):
            unreadable[path] = value
        elif ring:
            rings[queue][ring["ring"]].append((int(ring["page"] or 0), int(value)))
        elif port:
            ports[queue][match["node"]] = int(value)
    numbers = sorted(rings.keys() | ports.keys(), key=lambda queue: -1 if queue is None else queue)
    return tuple(
        Queue(
            queue,
            {name: tuple(ref for _, ref in sorted(pages)) for name, pages in sorted(rings[queue].items())},
            dict(sorted(ports[queue].items())),
        )
        for queue in numbers
    ), unreadable
