"""PV devices as XenStore tells them, both ends of each.

Law: pure functions of what was read from XenStore. A frontend's nodes are the guest's own to write, a backend's those
of its driver domain: neither is believed about another domain's devices, nothing here reads a path that a node names,
or raises for what one holds.

Ref: docs/misc/xenstore-paths.pandoc; xen/include/public/io/{xenbus,blkif,netif,console}.h
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pvdrivers.abi.xenbus import XenbusState
from xentool.tools.devices import kinds, vdev

# Domids have 15 bits and devids 32; a guest that makes up longer ones names no device.
_DOMID = r"(\d{1,5})"
_DEVID = r"(\d{1,10})"
_FRONT = re.compile(
    rf"/local/domain/{_DOMID}/(?:(?:xenserver/)?device/([\w-]+)/{_DEVID}|(console)|(vuart)/{_DEVID})(?:/(.+))?",
    re.ASCII,
)
_BACK = re.compile(rf"/local/domain/{_DOMID}/(?:xenserver/)?backend/([\w-]+)/{_DOMID}/{_DEVID}(?:/(.+))?", re.ASCII)

_QUEUE = re.compile(r"(?:queue-(?P<queue>\d{1,4})/)?(?P<node>[a-z0-9-]+)")
#: Several pages of one ring are ring-ref0, ring-ref1, ...
_RING = re.compile(r"(?P<ring>(?:[a-z]+-)*(?:ring-ref|page-ref|gref))(?P<page>\d{0,2})")
_PORT = re.compile(r"event-channel(?:-[a-z]+)?|port")
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

_OF_A_NET = (("back", "mac"), ("back", "bridge"), ("back", "port"), ("front", "mtu"))
#: What is worth showing of a kind of device, and which end to believe.
_DETAILS: dict[str, tuple[tuple[str, str], ...]] = {
    "vbd": (("back", "mode"), ("back", "params"), ("back", "physical-device-path"), ("back", "type")),
    "vif": _OF_A_NET,
    "uvif": _OF_A_NET,
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

    A backend belongs to the frontend that its ``frontend`` node names, whatever kinds the two are of, if that is in the
    domain which the backend's own path says it serves: the toolstack made that path. Where it names none, kind and
    devid tell (`kinds.SERVES`). A frontend with several backends, or none, gets the one that its ``backend`` node
    names, if that one's path says that it serves this domain.

    :param nodes: values by path, at least those under ``/local/domain``
    """
    fronts, backs = dict(_ends(nodes, _FRONT)), dict(_ends(nodes, _BACK))
    serving: dict[str, list[str]] = defaultdict(list)
    for path, back in backs.items():
        serving[_served(path, back)].append(path)
    for path, front in fronts.items():
        named = front.nodes.get("backend", "")
        if path not in serving and named in backs and _serves(named, path):
            other = _served(named, backs[named])
            if other not in fronts:
                serving[other].remove(named)
                serving[path] = [named]
    found = []
    for path in sorted(fronts.keys() | serving.keys(), key=_key):
        end = fronts.get(path)
        wanted = end.nodes.get("backend") if end else None
        candidates = sorted(serving.get(path, ()), key=lambda back: (back != wanted, backs[back].domid))
        if end or candidates:
            found.append(_device(_key(path), end, backs[candidates[0]] if candidates else None))
        found += (_device(_key(path), None, backs[other]) for other in candidates[1:])
    return [one for one in found if domid is None or domid in one.domids]


def _key(path: str) -> Key:
    # Of a frontend's path.
    match = _FRONT.fullmatch(path)
    assert match  # noqa: S101 - whoever calls this has matched it, or made it below
    return int(match[1]), match[2] or match[4] or match[5], int(match[3] or match[6] or 0)


def _serves(back: str, front: str) -> bool:
    match = _BACK.fullmatch(back)
    return match is not None and int(match[3]) == _key(front)[0]


def _served(path: str, back: End) -> str:
    """Give the path of the frontend that a backend serves, which need not be there."""
    match = _BACK.fullmatch(path)
    assert match  # noqa: S101 - it is a backend
    named = back.nodes.get("frontend", "")
    front = _FRONT.fullmatch(named)
    if front and front[front.re.groups] is None and int(front[1]) == int(match[3]):
        return named
    kind, devid = kinds.SERVES.get(match[2], match[2]), int(match[4])
    home = f"/local/domain/{int(match[3])}"
    if kind == "console" and devid == 0:
        return f"{home}/console"
    if kind == "vuart":
        return f"{home}/vuart/{devid}"
    return f"{home}/device/{kind}/{devid}"


def _ends(nodes: Mapping[str, bytes], pattern: re.Pattern[str]) -> Iterator[tuple[str, End]]:
    places: dict[str, int] = {}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path, value in nodes.items():
        if match := pattern.fullmatch(path):
            rest = match[pattern.groups]
            top = path[: -len(rest) - 1] if rest else path
            places[top] = int(match[1])
            if rest:
                found[top][rest] = text(value)
    for top, domid in places.items():
        # Not for a device, but for what may become one.
        if found[top] or not top.endswith("/console"):
            yield top, _end(nodes, domid, top, found[top])


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
        name=vdev.name(devid) if kind in kinds.DISKS else f"{kind}{devid}",
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
