"""What a user calls a port."""

import pytest

from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Frame
from pvdrivers.net.ports import open_port
from pvdrivers.net.ports.base import ALL
from tests.pvdrivers.net.lanes import taken
from tests.pvdrivers.net.ports.hosts import odd, opened

TAP = "tap[:NAME][,bridge=NAME][,mtu=BYTES][,mac=ADDRESS][,netns=NAME]"


@pytest.mark.parametrize("spec", ["tap:vif1.0", "tap", "packet:eth0", "switch", "switch:blue", "pcap:/a,b", "null"])
def test_a_port_has_the_name_by_which_it_is_had(spec: str) -> None:
    # Nothing is opened before a frontend is there.
    assert open_port(spec).name == spec
    assert open_port("tap:vif1.0,mtu=9000,mac=00:16:3e:00:00:01,bridge=br0,netns=blue").name == "tap:vif1.0"


@pytest.mark.parametrize(
    ("spec", "form"),
    [
        ("tap:a,mtu=large", TAP),
        (f"tap:a,mtu={'9' * 5000}", TAP),
        ("tap:a,mac=00:16:3e", TAP),
        ("tap:a,speed=10", TAP),
        ("tap:bridge=", TAP),
        ("packet", "packet:INTERFACE"),
        ("packet:", "packet:INTERFACE"),
        ("packet:eth0,mtu=1500", "packet:INTERFACE"),
        ("pcap", "pcap:FILE[,from=FILE]"),
        ("pcap:a,from=", "pcap:FILE[,from=FILE]"),
        ("null:0", "null"),
        ("switch:mtu=9000", "switch[:NAME]"),
    ],
)
def test_what_is_written_otherwise_is_told_the_form(spec: str, form: str) -> None:
    with pytest.raises(MachineError) as caught:
        open_port(spec)
    assert str(caught.value) == f"{spec!r} is not of the form {form}"


@pytest.mark.parametrize("spec", ["tap:{}", "tap:a,bridge={}", "packet:{}"])
@pytest.mark.parametrize(
    "name", ["sixteen-letters-", "äöüäöüäö", "no/name", "eth0:1", "a b", "vif%d", "\x1b[31m", "..", "\udcff"]
)
def test_what_no_device_can_be_called(spec: str, name: str) -> None:
    # The kernel makes a TAP that is called by an escape sequence.
    with pytest.raises(MachineError) as caught:
        open_port(spec.format(name))
    assert str(caught.value) == (
        f"{name!r} is no name for a network device: 15 bytes at most, without blanks, /, : and %"
    )


@pytest.mark.parametrize("spec", ["", "eth0", "vde:/x", "tape:a"])
def test_what_is_no_port_is_told_which_there_are(spec: str) -> None:
    with pytest.raises(MachineError) as caught:
        open_port(spec)
    forms = f"{TAP}, packet:INTERFACE, switch[:NAME], pcap:FILE[,from=FILE], null"
    assert str(caught.value) == f"no port {spec!r}; there are {forms}"


def test_null_takes_all_and_gives_nothing() -> None:
    with opened("null", 2) as (port, lanes):
        assert (port.abilities, port.carrier) == (ALL, True)
        assert [lane.fileno() for lane in lanes] == [-1, -1]
        assert taken(lanes[1], [Frame(odd(60))] * 3) == 3
        assert lanes[1].receive(64) == ()
        assert [(lane.stats.sent, lane.stats.received) for lane in lanes] == [(0, 0), (3, 0)]
