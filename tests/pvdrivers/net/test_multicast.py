"""A frontend's list of multicast addresses: what is in it, what passes, and its end."""

from pvdrivers.abi.netif import NetifRsp
from pvdrivers.net.multicast import ADDRESSES_MAX, Multicast

GROUP, OTHER = bytes.fromhex("01005e000001"), bytes.fromhex("333300000001")
UNICAST, BROADCAST = bytes.fromhex("00163e000001"), b"\xff" * 6


def test_only_what_was_asked_for_passes() -> None:
    wanted = Multicast()
    assert [wanted.passes(each + bytes(54)) for each in (GROUP, UNICAST, BROADCAST)] == [False, True, True]
    assert wanted.add(GROUP) == NetifRsp.OKAY
    assert [wanted.passes(memoryview(each + bytes(54))) for each in (GROUP, OTHER)] == [True, False]
    assert wanted.remove(GROUP) == NetifRsp.OKAY
    assert not wanted.passes(GROUP + bytes(54))


def test_what_is_named_twice_is_there_until_it_is_removed_twice() -> None:
    wanted = Multicast()
    wanted.add(GROUP)
    wanted.add(GROUP)
    wanted.remove(GROUP)
    assert wanted.passes(GROUP)
    wanted.remove(GROUP)
    assert not wanted.passes(GROUP)


def test_what_is_not_there_may_be_removed() -> None:
    wanted = Multicast()
    wanted.add(GROUP)
    assert wanted.remove(OTHER) == NetifRsp.OKAY
    assert wanted.passes(GROUP)


def test_the_list_has_an_end() -> None:
    wanted = Multicast()
    groups = [b"\x33\x33" + number.to_bytes(4, "big") for number in range(ADDRESSES_MAX + 1)]
    assert [wanted.add(group) for group in groups] == [NetifRsp.OKAY] * 64 + [NetifRsp.ERROR]
    assert [wanted.passes(group) for group in groups] == [True] * 64 + [False]
    wanted.remove(groups[0])
    assert wanted.add(groups[64]) == NetifRsp.OKAY
