"""How a frontend wants its packets steered → what it asks for, step by step, and whether it is answered.

A backend may refuse any step, and goes on as it was: the frontend has its packets spread as the backend likes.

Ref: xen/include/public/io/netif.h, "Control messages"
"""

from collections.abc import Sequence
from struct import pack
from typing import NamedTuple

from pvdrivers.abi.netif import CtrlStatus, CtrlType, HashAlgorithm, HashType
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.errors import BadAnswer

_ENTRY_SIZE = 4
_ENTRIES_OF_PAGE = PAGE_SIZE // _ENTRY_SIZE


class Step(NamedTuple):
    """A request but for its id, and its page's reference.

    :param page: what the page begins with that is granted for it; empty if none is
    """

    type: CtrlType
    data: tuple[int, int, int] = (0, 0, 0)
    page: bytes = b""

    def request(self, ident: int, gref: int = 0) -> Request:
        """Give the request.

        :param gref: of the page, if there is one; it stays granted until the answer has come
        """
        return Request(ident, self.type, (gref, *self.data[1:]) if self.page else self.data)


class Wish(NamedTuple):
    """How a frontend wants its packets steered.

    :param types: of packets that are hashed
    :param key: of 40 bytes at most
    :param mapping: of hashes to queues; if it is empty, hash modulo queues chooses
    """

    types: HashType
    key: bytes
    mapping: tuple[int, ...] = ()


def spread(types: HashType, key: bytes, mapping: Sequence[int]) -> list[Step]:
    """Give the steps by which packets are hashed and spread over queues.

    They are asked for once both ends are connected, since before the backend has no queues; and no more of them once
    one is refused.

    :param mapping: of hashes to queues; if it is empty, hash modulo queues chooses
    """
    steps = [
        Step(CtrlType.SET_HASH_ALGORITHM, (HashAlgorithm.TOEPLITZ, 0, 0)),
        Step(CtrlType.SET_HASH_KEY, (0, len(key), 0), key),
        Step(CtrlType.SET_HASH_MAPPING_SIZE, (len(mapping), 0, 0)),
    ]
    for offset in range(0, len(mapping), _ENTRIES_OF_PAGE):
        part = mapping[offset : offset + _ENTRIES_OF_PAGE]
        steps.append(Step(CtrlType.SET_HASH_MAPPING, (0, len(part), offset), pack(f"<{len(part)}I", *part)))
    # Last, since without types nothing is hashed yet, by a key or a mapping that is only half there.
    steps.append(Step(CtrlType.SET_HASH_FLAGS, (types, 0, 0)))
    return steps


def unspread() -> list[Step]:
    """Give the steps by which the backend is free to choose again."""
    return [Step(CtrlType.SET_HASH_ALGORITHM, (HashAlgorithm.NONE, 0, 0))]


def check(request: Request, response: Response) -> CtrlStatus:
    """Check that a response is one to a request, and tell what became of that.

    :raises BadAnswer: it is none
    """
    if (response.ident, response.type) != (request.ident, request.type):
        raise BadAnswer(
            f"request {request.ident} of type {request.type} is answered as {response.ident} of type {response.type}"
        )
    if response.status not in set(CtrlStatus):
        raise BadAnswer(f"request {request.ident} of type {request.type} is answered by status {response.status}")
    return CtrlStatus(response.status)
