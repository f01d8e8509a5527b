"""What a toolstack has written for a vif: read, or refused."""

import pytest

from pvdrivers.bus.nodes import BadNode
from pvdrivers.net.vif import Rate, read_rate
from tests.pvdrivers.bus.directory import peer


@pytest.mark.parametrize("rate", ["100", "0,50000", "100,0", "100,50000,1", "18446744073709551616,1", "1,4294967296"])
def test_a_limit_that_makes_no_sense_is_refused(rate: str) -> None:
    with pytest.raises(BadNode) as raised:
        read_rate(peer({"rate": rate}))
    assert str(raised.value) == f"rate is {rate!r}, not BYTES,MICROSECONDS"


def test_no_rate_is_no_limit() -> None:
    given = [{}, {"rate": ""}, {"rate": "1,1"}, {"rate": "12500000,50000"}]
    assert [read_rate(peer(nodes)) for nodes in given] == [None, None, Rate(1, 1), Rate(12_500_000, 50_000)]
