"""Vifs as users describe them, and what a toolstack writes of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.net.vif import Rate
from xentool.errors import XentoolError
from xentool.tools.net import rates, vifs
from xentool.tools.net.vifs import Wanted, parse


def test_all_that_can_be_said_of_a_vif() -> None:
    text = "domain=web,port=tap:vif-web,bridge=br0,mac=00:16:3E:0a:0B:0c,mtu=9000,queues=4,rate=1MB/s@20ms,handle=3"
    wanted = parse(text + ",front=user")
    assert wanted == Wanted(
        "tap:vif-web", (("bridge", "br0"),), "web", "00:16:3e:0a:0b:0c", 9000, 4, Rate(20_000, 20_000), 3, user=True
    )
    back, front = vifs.nodes(wanted, 5, 3)
    assert back == {
        "handle": 3,
        "mac": "00:16:3e:0a:0b:0c",
        "mtu": 9000,
        "port": "tap:vif-web,bridge=br0,mtu=9000",
        "type": "vif",
        "bridge": "br0",
        "rate": "20000,20000",
    }
    assert front == {"handle": 3, "mac": "00:16:3e:0a:0b:0c", "mtu": 9000, "trusted": 1}


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("port=tap", "tap:vif5.2"),
        ("port=tap,mtu=1400", "tap:vif5.2,mtu=1400"),
        ("port=switch,mtu=1400", "switch"),
        ("port=pcap:/a,b.pcapng", "pcap:/a,b.pcapng"),
        ("port=pcap,from=/a", "pcap:from=/a"),
        ("port=pcap:/b,from=/a,queues=1", "pcap:/b,from=/a"),
        ("port=tap:t,netns=blue,bridge=br0", "tap:t,bridge=br0,netns=blue"),
    ],
)
def test_ports(text: str, port: str) -> None:
    assert vifs.port(parse(text), 5, 2) == port


def test_an_address_at_random_is_xens() -> None:
    found = {vifs.nodes(Wanted("null"), 5, 0)[0]["mac"] for _ in range(100)}
    assert len(found) > 90
    assert all(re.fullmatch("00:16:3e:[0-7][0-9a-f]:[0-9a-f]{2}:[0-9a-f]{2}", str(mac)) for mac in found)


def test_handles() -> None:
    wanted = [Wanted("null"), Wanted("null", handle=1), Wanted("null")]
    assert vifs.numbers(wanted, {0}) == [2, 1, 3]
    with pytest.raises(XentoolError, match=r"^handle 1 is taken already$"):
        vifs.numbers(wanted, {1})


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10Mb/s", Rate(62_500, 50_000)),
        ("1GB/s", Rate(50_000_000, 50_000)),
        ("250KB/s@20ms", Rate(5000, 20_000)),
        ("8b/s@1s", Rate(1, 1_000_000)),
        ("1MB/s@500us", Rate(500, 500)),
    ],
)
def test_rates(text: str, rate: Rate) -> None:
    assert rates.parse(text) == rate


@pytest.mark.parametrize("text", ["", "10", "10mb/s", "-1Mb/s", "1Mb/s@", "1Mb/s@0ms", "1b/s", "\u0661Mb/s"])
def test_no_rates(text: str) -> None:
    with pytest.raises(XentoolError):
        rates.parse(text)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["port=", "mac=", ",", "tap:", "rate=1Mb/s", "mtu=", "9", "="])).map("".join)
)
def test_any_text_is_a_vif_or_told_to_be_none(text: str) -> None:
    try:
        wanted = parse(text)
    except XentoolError:
        return
    assert wanted.port
