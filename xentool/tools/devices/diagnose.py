"""What looks wrong with PV devices and in XenStore, from what was read there; pure.

Ref: xen/include/public/io/xenbus.h and blkif.h ("state transition diagram"), netif.h (queues)
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import islice

from pvdrivers.abi.xenbus import XenbusState
from xentool.tools.channels import vchans
from xentool.tools.devices import kinds, links
from xentool.tools.devices.links import Link
from xentool.tools.devices.paired import Device, End, end_name, text

_S = XenbusState
_NO_DRIVER = "the backend waits for the frontend: no driver in the guest has taken the device"
#: What a device waits for, by its frontend's and its backend's state.
_WAITING: dict[tuple[XenbusState, XenbusState], str] = {
    (_S.INITIALISING, _S.INITIALISING): "the backend waits for its driver or hotplug script, and so does the frontend",
    (_S.INITIALISING, _S.INIT_WAIT): _NO_DRIVER,
    (_S.INITIALISING, _S.INITIALISED): _NO_DRIVER,
    (_S.INITIALISED, _S.INITIALISING): "the frontend is ready and waits for the backend's driver or hotplug script",
    (_S.INITIALISED, _S.INIT_WAIT): "the frontend waits for the backend to map its rings",
    (_S.INITIALISED, _S.INITIALISED): "each end waits for the other to connect",
    (_S.CONNECTED, _S.INIT_WAIT): "the frontend is connected, and the backend waits for its hotplug script",
    (_S.INITIALISED, _S.CONNECTED): "the backend is connected and waits for the frontend to follow",
}
_GOING = {_S.CLOSING, _S.CLOSED}

# As much of what a guest wrote as helps.
_LONGEST = 100
_NAMED = 4

_HOME = re.compile(r"/(?:local/domain|libxl)/(\d{1,5})", re.ASCII)
_BACKEND_HOME = re.compile(r"/local/domain/\d{1,5}/backend/[\w-]+/(\d{1,5})", re.ASCII)
_VM = re.compile(r"/vm/[\w-]+", re.ASCII)
_VM_OF = re.compile(r"/local/domain/\d{1,5}/vm", re.ASCII)


def problems(device: Device, alive: Container[int], netdevs: Mapping[str, Link] | None = None) -> list[str]:
    """Say what looks wrong with a device; nothing for one that works.

    :param alive: the domids that there are
    :param netdevs: dom0's network devices, where they are known
    """
    if device.domid not in alive:
        return [f"stale: domain {device.domid} is gone, and its nodes are left"]
    front, back = device.front, device.back
    if front is None:
        return ["the backend has no frontend", *_own(back, "backend")]
    if back is None:
        return [f"the frontend ({end_name(front)}) has no backend", *_own(front, "frontend")]
    if back.domid not in alive:
        return [f"the backend's domain {back.domid} is gone"]
    found = [*_own(front, "frontend"), *_own(back, "backend"), *_pointers(front, back)]
    if device.kind not in kinds.NO_HANDSHAKE:
        found += _handshake(device, front, back, netdevs or {})
    found += _unreadable(device.unreadable)
    return found


def _unreadable(nodes: Mapping[str, str]) -> Iterator[str]:
    for node, held in islice(nodes.items(), _NAMED):
        yield f"the frontend's {node} holds {_quoted(held)}, which is no number"
    if len(nodes) > _NAMED:
        yield f"{len(nodes) - _NAMED} more of its nodes hold no numbers"


def _quoted(held: str) -> str:
    # A guest may write two thousand bytes into each of a thousand nodes.
    return repr(held if len(held) <= _LONGEST else f"{held[:_LONGEST]}…")


def _own(end: End | None, side: str) -> Iterator[str]:
    if end is None:
        return
    if end.state_text is not None and end.state is None:
        yield f"the {side}'s state node holds {_quoted(end.state_text)}, which is no state"
    if end.error:
        yield f"the {side} reports: {end.error}"
    if error := end.nodes.get("hotplug-error"):
        yield f"the {side}'s hotplug script failed: {error}"


def _pointers(front: End, back: End) -> Iterator[str]:
    for side, end, node, other in (("frontend", front, "backend", back), ("backend", back, "frontend", front)):
        named = end.nodes.get(node)
        if named != other.path:
            said = "names no" if named is None else f"names {_quoted(named)} as its"
            yield f"the {side} {said} {node}; it is {other.path}"


def _handshake(device: Device, front: End, back: End, netdevs: Mapping[str, Link]) -> Iterator[str]:
    for side, end in (("frontend", front), ("backend", back)):
        if end.state_text is None:
            yield f"the {side} has no state"
    if front.state is None or back.state is None:
        return
    if front.state == back.state == XenbusState.CONNECTED:
        yield from _connected(device, front)
        if device.kind in kinds.NETS:
            yield from links.broken(device, back, netdevs)
    elif front.state in _GOING or back.state in _GOING:
        left = "; it is still plugged in" if back.nodes.get("online") == "1" else ""
        yield f"the device is closed or closing{left}: {_both(front, back)}"
    else:
        why = _WAITING.get((front.state, back.state), "the ends' states do not go together")
        if device.kind in kinds.NETS and (front.state, back.state) == (_S.CONNECTED, _S.INIT_WAIT):
            why = links.waiting(back) or why
        yield f"{why}: {_both(front, back)}"


def _connected(device: Device, front: End) -> Iterator[str]:
    # Other kinds of devices share pages in their own ways.
    if device.kind in kinds.QUEUES:
        if not device.queues:
            yield "both ends are Connected, but the frontend names no ring"
        halves = [queue for queue in device.queues if not (queue.rings and queue.ports)]
        if len(halves) > 1:
            yield f"{len(halves)} queues lack a ring or an event channel"
        elif halves:
            yield f"queue {halves[0].queue or 0} lacks its {'ring' if halves[0].ports else 'event channel'}"
    told = front.nodes.get("multi-queue-num-queues")
    if told is not None and told != str(len(device.queues)):
        yield f"the frontend says that it has {_quoted(told)} queues, and has {len(device.queues)}"


def _both(front: End, back: End) -> str:
    return f"frontend {end_name(front)}, backend {end_name(back)}"


def stale(nodes: Mapping[str, bytes], alive: Container[int]) -> list[str]:
    """Give the uppermost nodes that domains which are gone have left, or others for them.

    :param nodes: the whole store
    :param alive: the domids that there are
    """
    known = {text(value) for path, value in nodes.items() if _VM_OF.fullmatch(path)}
    of_vchans = (f"{top}/{gone}" for top, each in vchans.leftovers(nodes, alive).items() for gone in each)
    of_vms = sorted(path for path in nodes if _VM.fullmatch(path) and path not in known)
    return [*sorted(_left(nodes, alive)), *of_vchans, *of_vms]


def _left(nodes: Iterable[str], alive: Container[int]) -> Iterator[str]:
    for path in nodes:
        match = _HOME.fullmatch(path) or _BACKEND_HOME.fullmatch(path)
        if match and int(match[1]) not in alive:
            yield path
