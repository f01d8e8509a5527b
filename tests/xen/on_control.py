"""Runs in a dom0: asks the kernel's backend there by its control ring, and our own core, and prints what either says.

``python3 - <tests/xen/on_control.py`` prints a line of JSON for each request: its number, its type, and status and data
of both answers. What comes before a request is the same for both: those of `REQUESTS`, in their order.
"""

import json
import struct
import sys
import threading

from pvdrivers.abi.netif import CtrlType, HashAlgorithm, HashType
from pvdrivers.bus import joining
from pvdrivers.bus.device import Nodes
from pvdrivers.net.control.back import answer
from pvdrivers.net.control.front import Step
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.front.controlqueue import FrontControl
from pvdrivers.net.front.frontend import Frontend, Options
from pvdrivers.net.ports.null import Null
from pvdrivers.net.steering import Steering
from pvdrivers.transport.xen import Xen
from pvdrivers.xenbus import NET_FRONT
from xentool.tools.net import kernel

_STUCK = 120.0
_QUEUES = 2
_U32 = 0xFFFFFFFF
_TYPES = int(HashType.IPV4 | HashType.IPV4_TCP | HashType.IPV6 | HashType.IPV6_TCP)


def _key(size: int, gref: int | None = None) -> Step:
    # Of a page of ours, unless another's reference is given.
    data = (gref or 0, size, 0)
    return Step(CtrlType.SET_HASH_KEY, data, b"" if gref else bytes(range(64)))


def _mapping(*entries: int, size: int | None = None, offset: int = 0) -> Step:
    data = (0, len(entries) if size is None else size, offset)
    return Step(CtrlType.SET_HASH_MAPPING, data, struct.pack(f"<{len(entries)}I", *entries) or b"\0")


def _plain(kind: CtrlType, *data: int) -> Step:
    return Step(kind, (*data, *(0,) * (3 - len(data))))  # type: ignore[arg-type]  # three, however many are given


#: No domain grants so many.
_BAD_GREF = 0x7FFFFFF0
REQUESTS = (
    # Before an algorithm is chosen, and what nobody does.
    *(_plain(kind) for kind in (CtrlType.INVALID, CtrlType.GET_GREF_MAPPING_SIZE)),
    *(_plain(kind, 0, 1) for kind in (CtrlType.ADD_GREF_MAPPING, CtrlType.DEL_GREF_MAPPING)),
    _plain(CtrlType.GET_HASH_FLAGS),
    *(_plain(CtrlType.SET_HASH_FLAGS, types) for types in (0, _TYPES, 16)),
    # Keys.
    *(_key(size) for size in (0, 1, 40, 41, 4096, _U32)),
    _key(40, _BAD_GREF),
    # Mappings: before there is one, within it, beyond it, round the end of 32 bits, to queues that there are not.
    _plain(CtrlType.GET_HASH_MAPPING_SIZE),
    _mapping(0),
    _mapping(size=0),
    *(_plain(CtrlType.SET_HASH_MAPPING_SIZE, size) for size in (129, _U32, 128, 4)),
    _mapping(0, 1, 0, 1),
    _mapping(1, 1, offset=2),
    _mapping(0, 1, offset=3),
    _mapping(0, _QUEUES),
    _mapping(_U32),
    _mapping(0, 1, offset=_U32),
    _mapping(size=_U32, offset=2),
    _mapping(size=0, offset=4),
    _mapping(size=0, offset=5),
    _mapping(*[0] * 129),
    Step(CtrlType.SET_HASH_MAPPING, (_BAD_GREF, 1, 0)),
    # Algorithms, and types with one.
    *(_plain(CtrlType.SET_HASH_ALGORITHM, number) for number in (2, _U32, HashAlgorithm.TOEPLITZ)),
    _plain(CtrlType.GET_HASH_FLAGS),
    *(_plain(CtrlType.SET_HASH_FLAGS, types) for types in (0, 1, _TYPES, _TYPES + 1, 16, _U32)),
    _plain(CtrlType.SET_HASH_ALGORITHM, HashAlgorithm.NONE),
    _plain(CtrlType.GET_HASH_FLAGS),
)


class _Asking(FrontControl):
    # Notes what it is answered.

    def __init__(self, device: Frontend) -> None:
        super().__init__(device.transport, device.domid, lambda *_, **__: None)
        self.answers: list[Response] = []
        self.all = threading.Event()

    def _answered(self, request: Request, response: Response) -> None:
        super()._answered(request, response)
        self.answers.append(response)
        if len(self.answers) == len(REQUESTS):
            self.all.set()


class _Device(Frontend):
    # A frontend that asks for nothing by itself.

    def publish(self) -> Nodes:
        nodes = super().publish()
        self.asking = _Asking(self)
        self._thread = threading.Thread(target=self.asking.run)
        self._thread.start()
        return {**nodes, "ctrl-ring-ref": self.asking.gref, "event-channel-ctrl": self.asking.port}

    def close(self) -> Nodes:
        self.asking.stop()
        self._thread.join()
        return super().close()


def _theirs(xen: Xen) -> list[Response]:
    made: list[_Device] = []

    def make(there: str, domid: int) -> _Device:
        made.append(_Device(xen, there, domid, Null(), Options(max_queues=_QUEUES, pages=64)))
        return made[0]

    with kernel.served(xen) as spot, joining.joined(xen, spot.front, make, NET_FRONT):
        (device,) = made
        assert device.queues == _QUEUES
        for step in REQUESTS:
            # One by one: what is refused ends a wish.
            device.asking.ask([step])
        assert device.asking.all.wait(_STUCK), device.asking.answers
        return device.asking.answers


def _ours() -> list[Response]:
    steering, answers = Steering(_QUEUES), []
    for number, step in enumerate(REQUESTS, 1):
        request = step.request(number)
        size = request.data[1] * (4 if step.type is CtrlType.SET_HASH_MAPPING else 1)
        # What is not granted cannot be copied.
        copied = step.page[:size] if step.page else None
        steering, response = answer(request, steering, copied)
        answers.append(response)
    return answers


def _main() -> None:
    with Xen() as xen:
        theirs = _theirs(xen)
    for number, (their, our) in enumerate(zip(theirs, _ours(), strict=True)):
        assert their.ident == our.ident == number + 1
        assert their.type == our.type == REQUESTS[number].type
        json.dump([number, CtrlType(their.type).name, [their.status, their.data], [our.status, our.data]], sys.stdout)
        print()


if __name__ == "__main__":
    _main()
