"""Where a ring's two ends are, for who looks on: five numbers that say all.

Ref: xen/include/public/io/ring.h
"""

from typing import NamedTuple

_WRAP = 1 << 32


class Indices(NamedTuple):
    """Free-running indices of 32 bits, as a backend has them in one moment.

    ``req_cons`` is its own, ``req_event`` and ``rsp_event`` are the messages at which an end wants to be notified, the
    others say how many the producer has shown. What the peer writes is told as it is, and may be impossible.
    """

    req_prod: int
    req_cons: int
    rsp_prod: int
    req_event: int
    rsp_event: int

    @property
    def waiting(self) -> int:
        """Requests that were not taken yet."""
        return (self.req_prod - self.req_cons) % _WRAP

    @property
    def under_way(self) -> int:
        """Requests that were taken and not answered."""
        return (self.req_cons - self.rsp_prod) % _WRAP

    @property
    def asked(self) -> bool:
        """Whether the backend has asked to be notified of the next request."""
        return (self.req_event - self.req_cons) % _WRAP == 1
