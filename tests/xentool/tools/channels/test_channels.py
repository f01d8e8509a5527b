"""Grants and event channels, on what Xen 4.17 printed with a PV and a PVH guest, and on what nobody ever printed."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xentool.tools.channels.consoles import CONSOLE, DATA, GRANTED, NODES, console, port_of
from xentool.errors import PeerError
from xentool.hosts.base import Completed
from xentool.hosts.local import LocalHost
from xentool.tools.channels import dump, findings, grants, ports
from xentool.tools.channels.grants import GrantTable
from xentool.tools.channels.graph import edges
from xentool.tools.channels.serves import grant_name
from xentool.tools.channels.survey import Survey, made, parsed, printed

NAMES: dict[int, str | None] = {0: "Domain-0", 1: "domU", 2: "hvmU"}


@pytest.fixture(scope="module")
def found() -> Survey:
    return made(NAMES, parsed(*dump.cut(CONSOLE)), NODES)


def test_all_of_it_is_read(found: Survey) -> None:
    assert found.unread == []
    assert found.findings == []
    assert {domid: len(each) for domid, each in found.ports.items()} == {0: 44, 1: 20, 2: 9}
    assert {domid: len(table.grants) for domid, table in found.tables.items()} == {0: 0, 1: 7, 2: 4}


def test_ports_are_those_of_lsevtchn(found: Survey) -> None:
    # "   1: VCPU 0: Interdomain (Connected) - Remote Domain 1, Port 2", "Virtual IRQ 0", "Physical IRQ 9", "IPI"
    for domid, each in found.ports.items():
        told = {}
        for line in (DATA / f"lsevtchn-{domid}.txt").read_text().splitlines():
            number, vcpu, what = (word.strip() for word in line.split(":"))
            told[int(number)] = (int(vcpu.removeprefix("VCPU ")), what)
        assert {port.port for port in each} == told.keys()
        for port in each:
            bound, what = told[port.port]
            assert port.vcpu == bound
            match port.kind:
                case "interdomain":
                    assert what.endswith(f"Remote Domain {port.remote_domid}, Port {port.remote_port}")
                case "ipi":
                    assert what == "IPI"
                case "pirq":
                    assert what == f"Physical IRQ {port.source}"
                case _:
                    assert re.fullmatch(r"Virtual IRQ \d+", what)
                    assert (port.source == "TIMER") == (what == "Virtual IRQ 0")


def test_devices_rings_are_named(found: Survey) -> None:
    named = {grant.gref: grant_name(found.grant_names, 1, grant.gref) for grant in found.tables[1].grants}
    assert sorted(filter(None, named.values())) == [
        "console ring",
        *(f"vif0 queue {queue} {ring}-ring" for queue in (0, 1) for ring in ("rx", "tx")),
        "xvda queue 0 ring",
        "xvda queue 1 ring",
    ]
    for node, name in (
        ("vbd/51712/queue-0/ring-ref", "xvda queue 0 ring"),
        ("vif/0/queue-1/tx-ring-ref", "vif0 queue 1 tx-ring"),
    ):
        assert named[int(NODES[f"/local/domain/1/device/{node}"])] == name
    assert grant_name(found.grant_names, 2, int(NODES["/local/domain/2/device/vif/0/rx-ring-ref"])) == "vif0 rx-ring"


def test_both_ends_of_a_channel_have_its_name(found: Survey) -> None:
    interdomain = [port for port in found.ports[1] if port.kind == "interdomain"]
    assert [found.port_names[1, port.port] for port in interdomain] == [
        "xenstore",
        "console0",
        "xvda queue 0",
        "xvda queue 1",
        "vif0 queue 0 tx",
        "vif0 queue 0 rx",
        "vif0 queue 1 tx",
        "vif0 queue 1 rx",
    ]
    for port in interdomain:
        assert port.remote_port is not None
        assert found.port_names[0, port.remote_port] == found.port_names[1, port.port]


def test_the_graph(found: Survey) -> None:
    assert [(edge.domids, len(edge.channels), edge.grants) for edge in edges(found)] == [
        ((0, 0), 1, {}),
        ((0, 1), 8, {(1, 0): 7}),
        ((0, 2), 5, {(2, 0): 4}),
    ]


def test_only_the_last_dump_counts_and_only_xens_lines() -> None:
    begin = CONSOLE.rindex("(XEN) 'e' pressed")
    last = CONSOLE[begin:].splitlines()
    mixed = CONSOLE[begin:] + "\n".join(line for each in last for line in (each, "(d1) [0x666] guest", "dom0 says"))
    assert dump.cut(mixed) == dump.cut(CONSOLE)
    stamped = "\n".join(line.replace("(XEN) ", "(XEN) [2026-11-24 02:17:58] ", 1) for line in last)
    assert dump.cut(stamped) == dump.cut(CONSOLE)
    stamped = "\n".join(line.replace("(XEN) ", "(XEN) [  123.456789] ", 1) for line in last)
    assert dump.cut(stamped) == dump.cut(CONSOLE)


@pytest.mark.parametrize("lost", ["'e' pressed", "key 'g' pressed", "] done"])
def test_a_console_that_is_too_small(lost: str) -> None:
    begin = CONSOLE.rindex("(XEN) 'e' pressed")
    kept = "\n".join(line for line in CONSOLE[begin:].splitlines() if lost not in line)
    with pytest.raises(PeerError, match="conring_size="):
        dump.cut(kept)


class Printing(LocalHost):
    """A host whose Xen has another console each time that it is asked; the last one stays."""

    def __init__(self, *consoles: str) -> None:
        super().__init__()
        self.consoles = list(consoles)
        self.asked = 0

    def run(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float | None = None, check: bool = True
    ) -> Completed:
        del input, timeout, check
        console = self.consoles[min(self.asked, len(self.consoles) - 1)]
        self.asked += 1
        return Completed(tuple(argv), 0, console.encode(), b"")


def torn(within: str, at: int) -> str:
    # As when another pCPU prints while the one that dumps has begun a line.
    begin = CONSOLE.rindex(within) + at
    return f"{CONSOLE[:begin]}(XEN) uart interrupt: switched to polling\n{CONSOLE[begin:]}"


STAMPS = (
    *("", "[2024-05-06 07:08:09] ", "[2024-05-06 07:08:09.123] ", "[  812.123456] ", "[1000812.123456] "),
    *("[0000012a4bc3d9ef] ", "[0000000000001024] "),
)


@pytest.mark.parametrize("release", range(2, 22))
def test_dumps_of_each_release(release: int) -> None:
    for stamp in STAMPS:
        said = parsed(*dump.cut(console(release, stamp)))
        assert (said.unread, said.lost_ports, said.lost_grants) == ([], [], [])
        told = {d: tuple((grant.gref, grant.mapper) for grant in table.grants) for d, table in said.tables.items()}
        assert told == GRANTED
        assert {domid: [port.port for port in each] for domid, each in said.ports.items()} == {
            0: [32],
            5: [15, 16],
            6: [],
        }
        assert said.ports[5][0].remote_port == 32
        assert {table.frames for table in said.tables.values()} == {None if release < 10 else 1}
        # What it does not tell is not known.
        assert said.tables[0].version == (None if release < 10 else 1)


def test_a_dump_that_cannot_be_read_is_not_an_empty_one() -> None:
    unknown = console(17).replace("[0x", "[#").replace("Event channel information for", "Channels of")
    said = parsed(*dump.cut(unknown))
    assert len(said.lost_grants) == 4
    assert said.lost_ports == ["nothing of any domain"]
    assert parsed([], []).lost_grants == ["nothing of any domain"]
    # Others' lines are no part of it.
    others = [
        "d5v0 Over-allocation for domain 5: 131073 > 131072",
        "common/grant_table.c:1909:d0v3 Expanding d5 grant table from 2 to 3 frames",
        "event_channel.c:319:d3v0 EVTCHNOP failure: error -17",
        "mm.c:2341:d0v1 Bad mfn 0x1234 (gfn 0x56)",
    ]
    with_others = console(17).replace("(XEN) [ref]", "\n".join(f"(XEN) {line}" for line in others) + "\n(XEN) [ref]")
    said = parsed(*dump.cut(with_others))
    assert (len(said.unread), said.lost_grants, said.lost_ports) == (12, [], [])
    assert ports.missing(others) == []


def test_a_console_in_an_unknown_form_says_so() -> None:
    with pytest.raises(PeerError, match="has printed nothing: Xen's console is empty"):
        dump.cut("\n")
    with pytest.raises(PeerError, match=r"no line of Xen's that this program can read; its first is \"<4>"):
        dump.cut(console(17).replace("(XEN)", "<4>"))
    with pytest.raises(PeerError, match=r"nothing that the debug keys e and g have printed, and 'Latest"):
        dump.cut("(XEN) Xen version 4.17\n(XEN) Latest ChangeSet: x\n")
    with pytest.raises(PeerError, match="conring_size="):
        dump.cut("\n".join(console(17).splitlines()[-5:]))


def test_vchans_have_names_and_are_not_found_guilty() -> None:
    nodes = {
        "/local/domain/5/data/vchan/6/512/ring-ref": b"1024",
        "/local/domain/5/data/vchan/6/512/event-channel": b"16",
        "/local/domain/6/data/vchan/1234/ring-ref": b"7",
        "/local/domain/6/data/vchan/1234/event-channel": b"3",
        "/local/domain/6/data/half/ring-ref": b"8",
        "/local/domain/6/tool/agent/ring-ref": b"9",
        "/local/domain/6/tool/agent/event-channel": b"4",
        "/local/domain/6/data/vchan/5/rubbish/ring-ref": b"\xff",
        "/local/domain/6/data/vchan/5/rubbish/event-channel": b"1",
        **{f"/local/domain/0/data/vchan/{gone}": b"" for gone in range(5, 12)},
    }
    said = parsed(*dump.cut(console(17)))
    found = made({0: "Domain-0", 5: "work", 6: "vault"}, said, nodes)
    assert found.grant_names == {
        (5, 1024): "vchan 512 to d6 ring",
        (6, 7): "vchan 1234 ring",
        (6, 9): "vchan tool/agent ring",
    }
    assert found.port_names == {(5, 16): "vchan 512 to d6", (6, 3): "vchan 1234", (6, 4): "vchan tool/agent"}
    assert found.findings == [(0, "/local/domain/0/data/vchan has nodes of domains 7, 8, 9, 10, 11, which are gone")]
    # A guest's word counts for its own grants only, and for those that its peer maps.
    lies = {path.replace("/domain/5/", "/domain/6/"): value for path, value in nodes.items()}
    assert (5, "1 grant is mapped by domain 6, and it serves no device of d5") in made({}, said, lies).findings


def test_a_device_has_what_a_vchan_had() -> None:
    front, back = "/local/domain/5/device/vbd/51712", "/local/domain/0/backend/vbd/5/51712"
    device = {
        f"{front}/backend": back.encode(),
        f"{front}/backend-id": b"0",
        f"{front}/state": b"4",
        f"{front}/ring-ref": b"1024",
        f"{front}/event-channel": b"16",
        f"{back}/frontend": front.encode(),
        f"{back}/frontend-id": b"5",
        f"{back}/state": b"4",
    }
    stale = {
        "/local/domain/5/data/vchan/6/512/ring-ref": b"1024",
        "/local/domain/5/data/vchan/6/512/event-channel": b"16",
    }
    said = parsed(*dump.cut(console(17)))
    alone, both = (made({0: "Domain-0", 5: "work", 6: "vault"}, said, nodes) for nodes in (device, stale | device))
    assert alone.grant_names[5, 1024] == "xvda ring"
    assert both.grant_names == alone.grant_names
    assert both.port_names == alone.port_names


PORT, GRANT, BEGIN, END = "s=3 n=0 x=0 d=0", "0x00000001", "'e' pressed", "gnttab_usage_print_all ] done"


@pytest.mark.parametrize("within", [PORT, GRANT, BEGIN, END, "Event channel information for domain 2"])
@pytest.mark.parametrize("at", [0, 7])
def test_a_torn_dump_is_asked_for_again(within: str, at: int) -> None:
    host = Printing(torn(within, at), CONSOLE)
    assert printed(host) == parsed(*dump.cut(CONSOLE))
    assert host.asked == 2


def test_what_is_torn_each_time_is_told_as_lost() -> None:
    host = Printing(torn(PORT, 0), torn(GRANT, 3), torn(PORT, 5))
    found = made(NAMES, printed(host), NODES)
    assert host.asked == 3
    assert found.unread == ["       9 [0/0/  -   ]: s=3 n(XEN) uart interrupt: switched to polling"]
    assert {domid: len(each) for domid, each in found.ports.items()} == {0: 44, 1: 20, 2: 8}
    with pytest.raises(PeerError, match="conring_size="):
        printed(host := Printing(torn(END, 4)))
    assert host.asked == 3


def test_lines_of_an_unknown_kind_are_not_asked_for_for_ever() -> None:
    host = Printing(CONSOLE.replace("Polling vCPUs:", "Polling, newer:"))
    assert len(made(NAMES, printed(host), NODES).unread) == 3
    assert host.asked == 2


def test_counts_of_maps() -> None:
    lines = [
        "grant-table for remote d5 (v2)",
        "  64 frames (64 max), 3 maptrack frames (1024 max)",
        "[0x00a]     7 0x13ca02 0x01020304          7 0x00000a 0x05",
        "[0x1000a]     7 0x13ca02 0x00000100          7 0x00000a 0x03",
        "[0x00b]     9 0x13ca02 0x00000001",
    ]
    tables, unread = grants.parse(lines)
    assert unread == lines[-1:]
    first, second = tables[5].grants
    assert (first.gref, first.mapper, first.kind, first.read_only) == (10, 7, "access", True)
    assert (first.writable_maps, first.read_only_maps, first.device_maps) == (4 + 2, 3 + 1, 2 + 1)
    assert (second.gref, second.kind, second.read_only_maps) == (0x1000A, "transitive", 1)
    assert dict(findings.of_grants(tables, [])) == {
        5: "its grant table has all the 64 frames that it may have (max_grant_frames)"
    }
    assert "2 grants are mapped by domain 7, which is gone, and it serves no device of d5" in [
        text for _, text in findings.of_grants(tables, [])
    ]


def test_what_looks_wrong_with_ports() -> None:
    of = {
        0: [port_of(0, 1, (1, 1)), port_of(0, 2, (9, 4)), port_of(0, 3, (1, 2)), port_of(0, 4, (1, 3))],
        1: [port_of(1, 1, (0, 1), stuck=True), port_of(1, 2, (0, 7))],
    }
    assert list(findings.of_ports(of)) == [
        (0, "port 2 is bound to domain 9, which is gone"),
        (0, "port 3 is bound to d1 port 2, which is not bound to it"),
        (0, "port 4 is bound to d1 port 3, which is not bound to it"),
        (1, "port 1 is pending and masked: an event has come, and nobody looks"),
        (1, "port 2 is bound to d0 port 7, which is not bound to it"),
    ]


def test_a_guest_names_only_what_is_its_own() -> None:
    nodes = {
        **NODES,
        "/local/domain/2/device/vbd/1/ring-ref": b"9",
        "/local/domain/2/device/vbd/1/event-channel": b"15",
        "/local/domain/2/device/vif/7/tx-ring-ref": b"\x1b[31m\xff",
        "/local/domain/2/device/vif/7/event-channel": b"9" * 5000,
        "/local/domain/2/store/port": b"\xd9\xa9",
    }
    found = made(NAMES, parsed(*dump.cut(CONSOLE)), nodes)
    clean = made(NAMES, parsed(*dump.cut(CONSOLE)), NODES)
    assert {key: name for key, name in found.port_names.items() if key[0] == 1} == {
        key: name for key, name in clean.port_names.items() if key[0] == 1
    }
    assert grant_name(found.grant_names, 1, 9) == "xvda queue 1 ring"


LINES = [line for half in dump.cut(CONSOLE) for line in half]


@given(
    st.lists(st.one_of(st.text(max_size=80), st.sampled_from(LINES)), max_size=30),
    st.integers(0, 30),
    st.text(max_size=3),
)
def test_no_line_stops_the_reading(lines: list[str], at: int, put: str) -> None:
    lines = [line[:at] + put + line[at:] for line in lines]
    tables, unread = grants.parse(lines)
    assert len(unread) <= len(lines)
    assert sum(len(table.grants) for table in tables.values()) + len(unread) <= len(lines)
    of, unread = ports.parse(lines)
    assert sum(map(len, of.values())) + len(unread) <= len(lines)
    made({}, parsed(lines, lines), {})
    assert isinstance(GrantTable(1, 1).grants, list)
