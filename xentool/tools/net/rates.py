"""How much a guest may send, as Xen's configurations say it: ``10Mb/s``, ``250KB/s@20ms``.

Ref: docs/man/xl-network-configuration.5.pod, "rate"; tools/libs/util/libxlu_vif.c
"""

import re

from pvdrivers.net.vif import Rate
from xentool.errors import XentoolError

_RATE = re.compile(r"(\d{1,9})([GMK]?)([Bb])/s(?:@(\d{1,9})([mu]?)s)?", re.ASCII)
_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_MICROSECONDS = {"": 10**6, "m": 10**3, "u": 1}
#: Microseconds in which what was not sent is made up for, unless one says otherwise.
_INTERVAL = 50_000
_LONGEST = 2**32 - 1


def parse(text: str) -> Rate:
    """Read a rate.

    :raises XentoolError: it is none, or less than a byte each time
    """
    found = _RATE.fullmatch(text)
    if not found:
        raise XentoolError(f"{text!r} is no rate such as 10Mb/s (bits), 1MB/s (bytes) or 1MB/s@20ms")
    number, factor, unit, interval, fraction = found.groups()
    each_second = int(number) * _FACTORS[factor] // (8 if unit == "b" else 1)
    microseconds = _INTERVAL if interval is None else int(interval) * _MICROSECONDS[fraction]
    if not 0 < microseconds <= _LONGEST:
        raise XentoolError(f"{text!r}: an interval is 1us to {_LONGEST // 10**6}s")
    rate = Rate(each_second * microseconds // 10**6, microseconds)
    if not rate.bytes:
        raise XentoolError(f"{text!r} is less than a byte in {microseconds} us")
    return rate
