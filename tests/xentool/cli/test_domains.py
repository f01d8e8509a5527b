"""`xentool list`, `info`, `show`, `top` and `device`: by libvirt's test driver, and on recorded data."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from tests.xentool.cli.running import run
from tests.xentool.tools.recorded import STATS, store
from xentool.cli.screens import devices as device_view
from xentool.cli.screens import top as top_view
from xentool.tools.devices.diagnose import problems, stale
from xentool.tools.devices.inspect import Inspected, Inspection
from xentool.tools.devices.paired import devices
from xentool.tools.domains.stats import Frame, Rates, Vcpu, rates
from xentool.tools.domains.xl_stats import parse

TEST = ("-c", "test:///default")
NAMES: dict[int, str | None] = {0: "Domain-0", 1: "domU", 2: "hvmU"}

INFO = """\
hypervisor  TEST 0.0.2
machine     i686
CPUs        16, 1,400.000 MHz, 2 NUMA nodes, 2 cores a socket, 2 threads a core
memory      3 GiB, 3 MiB free
guest ABIs  hvm i686, xen i686
"""

DEVICES = """\
Domain  Device    Frontend   Backend    in  what it is
domU    console0  -          -           0  xenconsoled, /dev/pts/0
domU    xvda      Connected  Connected   0  w, /var/lib/xentool/domU.img
domU    vif0      Connected  Connected   0  00:16:3e:72:3c:0c, xenbr0
"""

DISK = """\

  xvda  vbd 51712: Connected ↔ InitWait, backend in domain 0
    mode w, params /var/lib/xentool/domU.img, physical-device-path /dev/loop0,
    type phy
    queue 0: ring-ref 8, event-channel 15
    queue 1: ring-ref 9, event-channel 16
    both ends: multi-queue-num-queues=2
    backend only: barrier, discard, flush-cache, max-indirect-segments=256,
    persistent, max-ring-page-order=4
    ! the frontend is connected, and the backend waits for its hotplug script:
    frontend Connected, backend InitWait
"""


def drawn(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return "".join(line.rstrip() + "\n" for line in console.file.getvalue().splitlines())


def inspected(nodes: dict[str, bytes], domid: int | None = None) -> list[Inspected]:
    return [Inspected(device, tuple(problems(device, {0, 1, 2}))) for device in devices(nodes, domid)]


def test_list_by_libvirt() -> None:
    done = run("list", *TEST)
    assert (done.returncode, done.stderr) == (0, "")
    title, row = done.stdout.splitlines()
    assert title.split() == ["ID", "Name", "Type", "State", "vCPUs", "Memory", "CPU", "s", "Disks", "Nets"]
    words = row.split()
    assert words[:7] == ["1", "test", "test", "running", "2", "2", "GiB"]
    assert words[-2:] == ["1", "1"]


def test_list_as_json() -> None:
    document = json.loads(run("list", *TEST, "--json").stdout)
    assert document["schema"] == "xentool.domains/1"
    (domain,) = document["domains"]
    assert (domain["domid"], domain["name"], domain["memory_bytes"]) == (1, "test", 2 << 30)
    # What the driver has no counter for is null.
    assert domain["blocks"][0]["flushes"] is None
    assert domain["blocks"][0]["reads"] > 0


def test_info_by_libvirt() -> None:
    done = run("info", *TEST)
    host, rest = done.stdout.split("\n", 1)
    assert host.startswith("host        ")
    assert [line.rstrip() for line in rest.splitlines()] == INFO.splitlines()
    assert json.loads(run("info", *TEST, "--json").stdout)["scheduler"] is None


def test_show_by_libvirt_has_no_ends_of_devices() -> None:
    done = run("show", *TEST, "test")
    assert done.stdout.startswith("test  (domid 1, test) running\n")
    assert "memory        2 GiB of 8 GiB" in done.stdout
    assert "vCPUs online  2 of 2" in done.stdout
    assert "receive errors" in done.stdout
    assert "looks wrong" not in done.stdout
    assert json.loads(run("show", *TEST, "test", "--json").stdout)["devices"] is None


def test_top_in_a_pipe() -> None:
    done = run("top", *TEST, "-n", "2", "-d", "0.1")
    assert done.returncode == 0
    assert done.stdout.count("test:///default  domains: 1 running; CPU ") == 2
    lines = run("top", *TEST, "-n", "10", "-d", "0.1", "--json").stdout.splitlines()
    assert len(lines) == 10
    domains = [domain for line in lines for domain in json.loads(line)["domains"]]
    # The driver's domain has a whole CPU's time by the wall clock; a busy machine reads the two clocks apart, at times.
    assert any(30 < domain["cpu_percent"] < 300 for domain in domains)
    assert all(domain["read_bytes_per_s"] > 0 for domain in domains)


@pytest.mark.parametrize("words", [("list",), ("info",), ("show", "test"), ("top",)])
def test_a_libvirt_uri_and_a_host_are_wrong_usage(words: tuple[str, ...]) -> None:
    done = run(*words, *TEST, "-H", "local")
    assert (done.returncode, done.stdout) == (2, "")
    assert "give --connect or --host" in done.stderr


def test_no_such_driver_and_no_such_domain() -> None:
    done = run("list", "-c", "nosuch:///")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("xentool: cannot connect to libvirt at nosuch:///: ")
    assert done.stderr.count("\n") == 1
    done = run("show", *TEST, "nobody")
    assert (done.returncode, done.stderr) == (1, "xentool: there is no domain 'nobody'; there are test (1)\n")


def test_device_attach_needs_a_spec_for_a_disk() -> None:
    done = run("device", "attach", "domU", "block")
    assert done.returncode == 2
    assert "needs a SPEC" in done.stderr


def test_devices_in_a_table() -> None:
    console = drawn()
    device_view.write_table(Inspection(tuple(inspected(store(), 1)), ()), NAMES, console)
    assert text_of(console) == DEVICES


def test_what_looks_wrong_is_below_the_table() -> None:
    nodes = store()
    nodes["/local/domain/1/device/vbd/51712/state"] = b"6"
    console = drawn(200)
    device_view.write_table(Inspection(tuple(inspected(nodes, 1)), tuple(stale(nodes, {0, 1}))), NAMES, console)
    assert text_of(console).splitlines()[-7:-5] == [
        "",
        "! domU xvda: the device is closed or closing; it is still plugged in: frontend Closed, backend Connected",
    ]
    assert text_of(console).endswith("! /local/domain/2: left by a domain that is gone\n")


def test_a_device_in_full() -> None:
    nodes = store()
    nodes["/local/domain/0/backend/vbd/1/51712/state"] = b"2"
    console = drawn()
    device_view.write([inspected(nodes, 1)[1]], 1, console)
    assert text_of(console) == DISK


def test_what_a_guest_writes_is_escaped_and_cut() -> None:
    nodes = store()
    front = "/local/domain/1/device/vif/0"
    nodes |= {
        f"{front}/feature-\x1b[2Jevil": b"1",
        f"{front}/mtu": b"\x1b]0;owned\x07[red]",
        f"{front}/state": b"\x1b[31m4",
        "/local/domain/1/error/device/vif/0/error": b"x" * 3000,
    }
    nodes |= {f"{front}/queue-{number}/tx-ring-ref": b"1" for number in range(2, 900)}
    for width in (80, 200):
        console = drawn(width)
        device_view.write(inspected(nodes, 1), 1, console)
        device_view.write_table(Inspection(tuple(inspected(nodes, 1)), ()), NAMES, console)
        shown = text_of(console)
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "mtu \\x1b]0;owned\\x07[red]" in shown
        assert "and 884 more queues" in shown
        assert len(shown) < 9000
    assert "\\u001b" in json.dumps([device_view.document(each) for each in inspected(nodes, 1)])


def test_json_names_states() -> None:
    block = device_view.document(inspected(store(), 1)[1])
    assert (block["front"]["state"], block["back"]["state"]) == ("Connected", "Connected")
    assert (block["name"], block["problems"]) == ("xvda", ())
    assert block["queues"][0] == {"queue": 0, "rings": {"ring-ref": (8,)}, "ports": {"event-channel": 15}}


def frame() -> Frame:
    return rates(parse(STATS), parse(STATS.replace("2258.53", "2260.53").replace("54367168338", "57367168338")))


def test_top_picture_at_80_and_200_columns() -> None:
    for width, titles in ((80, ["CPU %", "rd B/s", "out B/s"]), (200, ["CPU s", "reads/s", "packets out/s"])):
        console = drawn(width)
        console.print(top_view.picture("lab:shared", frame(), "cpu", width))
        lines = text_of(console).splitlines()
        assert lines[0] == "lab:shared  domains: 2 blocked, 1 running; CPU 150 % in 2.0 s"
        assert all(title in lines[2] for title in titles)
        assert [line.split()[:2] for line in lines[3:]] == [["1", "domU"], ["0", "Domain-0"], ["2", "hvmU"]]
        assert "150.0" in lines[3]


@pytest.mark.parametrize(
    ("by", "domids"),
    [
        ("cpu", [1, 0, 2]),
        ("memory", [0, 1, 2]),
        ("id", [0, 1, 2]),
        ("block", [1, 2, 0]),
        ("net", [1, 2, 0]),
        ("hypercalls", [0, 1, 2]),
    ],
)
def test_orders_put_what_is_not_known_last(by: str, domids: list[int]) -> None:
    assert [each.domid for each in top_view.ordered(frame().domains, by)] == domids


def test_every_order_has_its_own_key() -> None:
    assert top_view.KEYS == {"c": "cpu", "m": "memory", "b": "block", "n": "net", "h": "hypercalls", "i": "id"}


def test_top_with_hypercalls() -> None:
    before, now = parse(STATS), parse(STATS.replace("2258.53", "2260.53"))
    before, now = replace(before, hypercalls={0: 10}, lost_records=0), replace(now, hypercalls={0: 30, 2: 5000})
    traced = rates(before, replace(now, lost_records=7000))
    assert [each.domid for each in top_view.ordered(traced.domains, "hypercalls")] == [2, 0, 1]
    console = drawn(80)
    console.print(top_view.picture("xen1", traced, "hypercalls", 80), top_view.keys("hypercalls", traced=True))
    heading, *table, keys = text_of(console).replace("lost,\n", "lost, ").splitlines()
    assert heading.endswith("; 7,000 trace records lost, there were more hypercalls")
    assert " calls/s " in table[1]
    assert [line.split()[4] for line in table[2:]] == ["2.5k", "10", "0"]
    assert keys == "q quit  ? help  V N B  sort: c cpu  m memory  b block  n net  h hypercalls  i id"
    assert "hypercalls" not in str(top_view.keys("cpu"))


def test_top_shows_each_vcpu_network_and_disk() -> None:
    before, now = parse(STATS), parse(STATS.replace("2258.53", "2260.53"))
    (whose,) = [domain for domain in now.domains if domain.domid == 1]
    (disk, *_), (net, *_) = whose.blocks, whose.nets
    vcpus = (Vcpu(0, "running", 3, 7.0), Vcpu(1, "offline"), Vcpu(2, "blocked", 0, 1.0))
    busier = replace(
        whose,
        each_vcpu=vcpus,
        blocks=(replace(disk, reads=(disk.reads or 0) + 200),),
        nets=(replace(net, sent_bytes=(net.sent_bytes or 0) + 3000),),
    )
    earlier = replace(whose, each_vcpu=(replace(vcpus[0], cpu_seconds=6.0), *vcpus[1:]))
    (told,) = rates(replace(before, domains=(earlier,)), replace(now, domains=(busier,))).domains
    assert [(one.vcpu, one.pcpu, one.cpu_percent) for one in told.each_vcpu] == [(0, 3, 50), (1, None, None), (2, 0, 0)]
    assert (told.blocks[0].device, told.blocks[0].reads_per_s, told.nets[0].sent_bytes_per_s) == ("xvda", 100, 1500)
    shown = replace(frame(), domains=(told, told))
    drawn_page = top_view.page("xen1", shown, "cpu", {"V", "N", "B"}, 80)
    assert [line.plain.split()[0] for line in drawn_page.head if line.plain] == ["xen1", "ID"]
    assert len(drawn_page.body) == 2
    row, *details = (line.plain for line in drawn_page.body[0])
    assert row.split()[:2] == ["1", "domU"]
    assert [line.rstrip() for line in details] == [
        "     v0 50.0 % on 3   v1 offline       v2 0.0 % on 0",
        "     vif0  0 packets in/s, 0 B/s  0 packets out/s, 1.5k B/s",
        "     xvda  100 reads/s, 0 B/s  0 writes/s, 0 B/s",
    ]
    plain = top_view.page("xen1", shown, "cpu", (), 80)
    assert [[line.plain for line in together] for together in plain.body] == [[row], [row]]
    untold = replace(shown, domains=(replace(told, each_vcpu=()),))
    assert "does not tell" in top_view.page("xen1", untold, "cpu", "V", 80).body[0][1].plain


def test_libvirt_cannot_count_hypercalls() -> None:
    done = run("top", *TEST, "-x")
    assert done.returncode == 2
    assert "--hypercalls needs xl" in done.stderr
    assert isinstance(frame().domains[0], Rates)
