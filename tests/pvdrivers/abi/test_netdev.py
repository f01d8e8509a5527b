"""What is asked of Linux's network devices, against Linux's headers."""

from collections.abc import Iterator

from pvdrivers.abi import netdev
from pvdrivers.abi.layout import Layout
from tests.pvdrivers.abi.compiler import complaints, fields

HEADERS = ["stddef.h", "asm/ioctl.h", "asm/socket.h"]
HEADERS += [
    f"linux/{name}.h"
    for name in ("if_tun", "if_packet", "if_ether", "if_arp", "sockios", "netlink", "rtnetlink", "if_link")
]
#: A C library's, of which there is none here.
ELSEWHERE = {"SOL_PACKET", "SOL_NETLINK"}


def of_linux() -> Iterator[str]:
    layouts = {each.name: each for each in vars(netdev).values() if isinstance(each, Layout)}
    # Its union has no more of what is asked for here.
    ifreq = layouts.pop("ifreq")
    yield f"sizeof(struct ifreq) == {ifreq.size}"
    yield f"__builtin_offsetof(struct ifreq, ifr_flags) == {ifreq.offsets['ifr_flags']}"
    for each in layouts.values():
        yield from fields(each, {("ifinfomsg", "pad"): "__ifi_pad"})
    numbers = {name: value for name, value in vars(netdev).items() if name.isupper() and isinstance(value, int)}
    assert len(numbers) > 30
    yield from (f"{name} == {value}" for name, value in numbers.items() if name not in ELSEWHERE)


def test_they_are_the_headers() -> None:
    assert complaints(HEADERS, of_linux()) == ""
