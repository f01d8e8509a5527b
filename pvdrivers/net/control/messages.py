"""The control ring's messages.

Ref: xen/include/public/io/netif.h, "Control requests" and "Control responses"
"""

from typing import NamedTuple, Self

from pvdrivers.abi.netif import CTRL_REQUEST, CTRL_RESPONSE


class Request(NamedTuple):
    """What a frontend asks for.

    :param type: a `CtrlType`, if it makes sense
    :param data: what they mean is the type's matter
    """

    ident: int
    type: int
    data: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def parse(cls, message: bytes) -> Self:
        """Read a slot's message."""
        ident, kind, *data = CTRL_REQUEST.struct.unpack(message)
        return cls(ident, kind, (data[0], data[1], data[2]))

    def pack(self) -> bytes:
        """Form the message."""
        return CTRL_REQUEST.struct.pack(self.ident, self.type, *self.data)


class Response(NamedTuple):
    """What became of a request.

    :param ident: the request's
    :param type: the request's
    :param status: a `CtrlStatus`, if it makes sense
    """

    ident: int
    type: int
    status: int
    data: int = 0

    @classmethod
    def parse(cls, message: bytes) -> Self:
        """Read a slot's message."""
        return cls(*CTRL_RESPONSE.struct.unpack(message))

    def pack(self) -> bytes:
        """Form the message."""
        return CTRL_RESPONSE.struct.pack(*self)
