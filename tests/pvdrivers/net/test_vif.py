"""What a toolstack has written for a vif: read, or refused."""

import pytest

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.nodes import BadNode
from pvdrivers.net.vif import Rate, Vif, plugged, read_mac, read_rate, read_vif
from tests.pvdrivers.bus.directory import peer

TOOLSTACKS: Nodes = {"handle": 2, "mac": "00:16:3e:01:0a:FF"}
MAC = bytes.fromhex("00163e010aff")


def test_what_the_toolstack_says_is_read() -> None:
    assert read_vif(peer(TOOLSTACKS)) == Vif(2, MAC, 1500, None)
    full = {**TOOLSTACKS, "mtu": 9000, "rate": "12500000,50000", "bridge": "xenbr0", "script": ""}
    assert read_vif(peer(full)) == Vif(2, MAC, 9000, Rate(12_500_000, 50_000))
    assert read_mac(peer({"mac": "0:16:3e:1:a:f"})) == bytes.fromhex("00163e010a0f")


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ({"mac": None}, "mac is missing"),
        ({"mac": ""}, "mac is '', no address"),
        ({"mac": "00:16:3e:01:0a"}, "mac is '00:16:3e:01:0a', no address"),
        ({"mac": "00:16:3e:01:0a:100"}, "no address"),
        ({"mac": "00-16-3e-01-0a-ff"}, "no address"),
        ({"handle": None}, "handle is missing"),
        ({"handle": -1}, "handle is '-1'"),
        ({"mtu": 67}, "mtu is 67, not 68 to 65535"),
        ({"mtu": 65536}, "mtu is 65536"),
        ({"rate": "100"}, "rate is '100', not BYTES,MICROSECONDS"),
        ({"rate": "0,50000"}, "rate is '0,50000'"),
        ({"rate": "100,0"}, "rate is '100,0'"),
        ({"rate": "100,50000,1"}, "rate is"),
        ({"rate": "18446744073709551616,1"}, "rate is"),
        ({"rate": "1,4294967296"}, "rate is"),
    ],
)
def test_toolstacks_that_make_no_sense_are_refused(nodes: Nodes, said: str) -> None:
    with pytest.raises(BadNode) as raised:
        read_vif(peer({**TOOLSTACKS, **nodes}))
    assert said in str(raised.value)


def test_no_rate_is_no_limit() -> None:
    assert [read_rate(peer(nodes)) for nodes in ({}, {"rate": ""}, {"rate": "1,1"})] == [None, None, Rate(1, 1)]


@pytest.mark.parametrize(
    ("nodes", "ready"),
    [
        ({}, True),
        ({"hotplug-status": ""}, False),
        ({"hotplug-status": "connected"}, True),
        ({"hotplug-status": "connected "}, False),
        ({"hotplug-status": "error"}, False),
    ],
)
def test_a_script_that_has_not_ended_is_waited_for(nodes: Nodes, ready: bool) -> None:
    assert plugged(peer(nodes)) == ready
