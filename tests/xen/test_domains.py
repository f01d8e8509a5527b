"""The domains' commands on real Xen: what they say against what xl, XenStore and sysfs say, and what they change."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from tests.xen.labs import HUNG, Lab, eventually, one_xen, usually
from xentool.lab import api
from xentool.lab.xl_guest import configuration

pytestmark = pytest.mark.lab

DISK = "/var/lib/xentool/extra.img"
#: A starved guest takes its time.
PATIENT = ("--timeout", str(HUNG))


class Tool:
    """``xentool`` on a lab's dom0."""

    def __init__(self, lab: Lab) -> None:
        self.host = lab.host

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "xentool", *words]
        environ = {**os.environ, "XENTOOL_HOST": self.host}
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=HUNG, env=environ, stdin=subprocess.DEVNULL
        )

    def __call__(self, *words: str) -> str:
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def json(self, *words: str) -> dict[str, Any]:
        document = json.loads(self(*words, "--json"))
        assert isinstance(document, dict)
        return document

    def domain(self, name: str) -> dict[str, Any] | None:
        return next((each for each in self.json("list")["domains"] if each["name"] == name), None)

    def devices(self, name: str) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.json("device", "list", name)["devices"]}


@pytest.fixture(scope="module")
def tool(lab: Lab) -> Tool:
    return Tool(lab)


def config(lab: Lab, name: str, kind: str, folder: Path) -> Path:
    """Write a guest's configuration here and make its disk in dom0."""
    kernel = lab.run("sh", "-c", ". /etc/default/xentool-lab; echo $KERNEL")
    lab.run("truncate", "-s", "16M", f"/var/lib/xentool/{name}.img")
    text = configuration(api.Guest(name, kind, memory_mib=128), "0", emulated=lab.emulated)
    path = folder / f"{name}.cfg"
    path.write_text(text.replace("@IP@", "10.77.0.99").replace("@KERNEL@", kernel))
    return path


class Made:
    """A guest that ``xentool create`` makes, for all tests of its kind, of which the last ends it."""

    def __init__(self, lab: Lab, tool: Tool, kind: str, folder: Path) -> None:
        self.name, self.kind = f"made-{kind}", kind
        self._lab, self._tool, self._domid = lab, tool, 0
        self._path = config(lab, self.name, kind, folder)

    def now(self) -> tuple[str, str, int]:
        """Give its name, type and domid; it is made if it does not live."""
        if not self._lab.lives(self.name):
            self._lab.outlived(self.name, self._make)
        return self.name, self.kind, self._domid

    def _make(self) -> None:
        self.end()  # one that died may still be listed
        said = self._tool("create", str(self._path))
        self._domid = int(said.rpartition(" ")[2])
        assert said == f"{self.name} is created: domid {self._domid}\n"
        became = eventually(lambda: "working" if self._works() else "" if self._lab.lives(self.name) else "dead")
        assert became == "working"

    def _works(self) -> bool:
        # Its disk and interface do; it may be gone, or its devices half there.
        done = self._tool.run("device", "list", self.name, "--json")
        if done.returncode != 0:
            return False
        devices = {each["name"]: each for each in json.loads(done.stdout)["devices"]}
        ends = [(devices[each]["front"] or {}).get("state") for each in ("xvda", "vif0") if each in devices]
        return ends == ["Connected"] * 2 and not any(each["problems"] for each in devices.values())

    def end(self) -> None:
        """Destroy it, if it is there."""
        self._lab.run("xl", "destroy", self.name, check=False)
        assert eventually(lambda: not self._lab.run("xl", "list", self.name, check=False))


@pytest.fixture(scope="module")
def guest(
    lab: Lab, tool: Tool, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Made]:
    made = Made(lab, tool, request.param, tmp_path_factory.mktemp("made"))
    yield made
    made.end()
    lab.run("rm", "-f", f"/var/lib/xentool/{made.name}.img", DISK)


def with_guest(test: Callable[[Lab, Tool, tuple[str, str, int]], None]) -> Callable[[Lab, Tool, Made], None]:
    """Give a test a guest that lives, and another one if that dies meanwhile; name, type, domid."""

    @wraps(test)
    def run(lab: Lab, tool: Tool, guest: Made) -> None:
        lab.outlived(guest.name, lambda: test(lab, tool, guest.now()))

    return run


each_type = pytest.mark.parametrize("guest", api.XEN.types, indirect=True)
a_pv_guest = pytest.mark.parametrize("guest", ["pv"], indirect=True)


@usually("4.20 pvh")
@each_type
@with_guest
def test_a_guest_is_paused_and_runs_again(lab: Lab, tool: Tool, guest: tuple[str, str, int]) -> None:
    name, kind, domid = guest
    listed = tool.domain(name)
    assert listed is not None
    assert (listed["domid"], listed["type"], listed["vcpus"]) == (domid, kind, 1)
    assert listed["max_memory_bytes"] == 128 << 20
    assert listed["uuid"] in lab.run("xl", "list", "-v", name)

    assert tool("pause", name) == f"{name} is paused\n"
    assert lab.run("xl", "list", name).splitlines()[1].split()[4][2] == "p"  # it may be blocked as well
    assert (tool.domain(name) or {})["state"] == "paused"
    assert tool("unpause", str(domid)) == f"{name} runs again\n"
    assert (tool.domain(name) or {})["state"] in ("running", "runnable", "blocked")


@usually("4.17 pv", "4.20 pvh")
@each_type
@with_guest
def test_show_is_what_xenstore_holds(lab: Lab, tool: Tool, guest: tuple[str, str, int]) -> None:
    name, kind, domid = guest
    shown = tool("show", name)
    assert shown.startswith(f"{name}  (domid {domid}, {kind}) ")
    assert "xvda  vbd 51712: Connected ↔ Connected, backend in domain 0" in shown
    assert shown.rstrip().endswith("Nothing looks wrong.")

    statistics = f"/sys/bus/xen-backend/devices/vbd-{domid}-51712/statistics"

    def counted() -> list[int]:
        return [int(each) for each in lab.run("cat", f"{statistics}/rd_req", f"{statistics}/rd_sect").split()]

    def shown_meanwhile() -> dict[str, Any] | None:
        # The guest's kernel looks for partitions some time after it says that it is connected.
        before, told = counted(), tool.json("show", name)
        return told if counted() == before else None

    document = eventually(shown_meanwhile)
    assert document is not None
    devices = {device["name"]: device for device in document["devices"]}
    home = f"/local/domain/{domid}/device"
    for device, front in (("xvda", f"{home}/vbd/51712"), ("vif0", f"{home}/vif/0")):
        for queue in devices[device]["queues"]:
            prefix = front if queue["queue"] is None else f"{front}/queue-{queue['queue']}"
            held = {name: refs[0] for name, refs in queue["rings"].items()} | queue["ports"]
            read = lab.run("xenstore-read", *(f"{prefix}/{node}" for node in held)).split()
            assert list(held.values()) == [int(each) for each in read]
            assert len(held) == (2 if device == "xvda" else 4)
    assert devices["vif0"]["details"]["mac"] == lab.run("xenstore-read", f"{home}/vif/0/mac")
    (block,), (net,) = document["domain"]["blocks"], document["domain"]["nets"]
    reads, sectors = counted()
    assert (block["reads"], block["read_bytes"]) == (reads, 512 * sectors)
    assert net["sent_bytes"] <= int(lab.run("cat", f"/sys/class/net/vif{domid}.0/statistics/rx_bytes"))


@usually("4.17 pv", "4.20 pvh")
@each_type
@with_guest
def test_devices_are_attached_and_detached(lab: Lab, tool: Tool, guest: tuple[str, str, int]) -> None:
    name, _, domid = guest
    home = f"/local/domain/{domid}/device"
    lab.run("truncate", "-s", "8M", DISK)
    # By Debian's own script.
    spec = f"format=raw,vdev=xvdb,access=rw,target={DISK}"
    command = tool("device", "attach", name, "block", spec, "--dry-run")
    assert command == f"xl block-attach {domid} {spec}\n"
    assert tool("device", "attach", name, "block", spec, *PATIENT) == f"xvdb of {name} is connected\n"
    assert lab.run("xenstore-read", f"{home}/vbd/51728/state") == "4"
    assert lab.run("xenstore-read", f"/local/domain/0/backend/vbd/{domid}/51728/state") == "4"
    attached = tool.devices(name)["xvdb"]
    assert (attached["front"]["state"], attached["details"]["params"]) == ("Connected", DISK)
    assert tool("device", "detach", name, "block", "xvdb", *PATIENT) == f"xvdb of {name} is gone\n"
    assert "51728" not in lab.run("xenstore-list", f"{home}/vbd")
    assert "51728" not in lab.run("xenstore-list", f"/local/domain/0/backend/vbd/{domid}")

    assert tool("device", "attach", name, "net", "script=vif-xentool", *PATIENT) == f"vif1 of {name} is connected\n"
    assert lab.run("xenstore-read", f"{home}/vif/1/state") == "4"
    mac = tool.devices(name)["vif1"]["details"]["mac"]
    assert tool("device", "detach", name, "net", mac, *PATIENT) == f"vif1 of {name} is gone\n"
    assert lab.run("xenstore-list", f"{home}/vif") == "0"
    done = tool.run("device", "detach", name, "net", "vif1")
    assert (done.returncode, done.stderr) == (
        1,
        f"xentool: {name} has no net device 'vif1'; there are: vif0\n",
    )


@one_xen
@a_pv_guest
@with_guest
def test_a_device_that_its_guest_does_not_take(lab: Lab, tool: Tool, guest: tuple[str, str, int]) -> None:
    name, _, _ = guest
    lab.run("truncate", "-s", "8M", DISK)
    tool("pause", name)
    spec = f"format=raw,vdev=xvdb,access=rw,script=block-xentool,target={DISK}"
    done = tool.run("device", "attach", name, "block", spec, "--timeout", "2")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "xentool: not connected within 2 s: xvdb: the backend waits for the frontend: no driver in the guest has taken "
        "the device: frontend Initialising, backend InitWait; xvdb is left, "
    )
    assert f"! {name} xvdb: the backend waits for the frontend" in tool("device", "list", name)
    tool("unpause", name)
    assert eventually(lambda: tool.devices(name)["xvdb"]["front"]["state"] == "Connected")
    refused = tool.run("device", "attach", name, "block", "format=raw,vdev=xvdc,target=/no/such")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "Disk vdev=xvdc failed to stat: /no/such" in refused.stderr
    tool("device", "detach", name, "block", "xvdb", *PATIENT)


@one_xen
@a_pv_guest
@with_guest
def test_what_looks_wrong_in_the_store(lab: Lab, tool: Tool, guest: tuple[str, str, int]) -> None:
    name, _, domid = guest
    front = f"/local/domain/{domid}/device/vif/0"
    backend = lab.run("xenstore-read", f"{front}/backend")
    try:
        lab.run("xenstore-write", "/local/domain/0/backend/vbd/998/51712/state", "1", "/local/domain/998/name", "ghost")
        lab.run("xenstore-write", f"/local/domain/{domid}/error/device/vif/0/error", "22 \x1b[31mnothing")
        lab.run("xenstore-write", f"{front}/backend", "/local/domain/0/backend/vif/0/0")
        shown = tool("device", "list")
        assert "! /local/domain/0/backend/vbd/998: left by a domain that is gone\n" in shown
        assert "! /local/domain/998: left by a domain that is gone\n" in shown
        assert "! 998 xvda: stale: domain 998 is gone, and its nodes are left\n" in shown
        assert f"! {name} vif0: the frontend reports: 22 \\x1b[31mnothing\n" in shown
        assert f"! {name} vif0: the frontend names '/local/domain/0/backend/vif/0/0' as its backend" in shown
        assert "Nothing looks wrong" not in tool("show", name)
    finally:
        lab.run("xenstore-write", f"{front}/backend", backend)
        lab.run("xenstore-rm", "/local/domain/0/backend/vbd/998", "/local/domain/998", f"/local/domain/{domid}/error")


@one_xen
def test_destroy_and_what_there_is_not(lab: Lab, tool: Tool, tmp_path: Path) -> None:
    assert tool("create", str(config(lab, "brief", "pv", tmp_path))).startswith("brief is created: domid ")
    assert tool("destroy", "brief") == "brief is destroyed\n"
    assert eventually(lambda: "brief" not in lab.run("xl", "list"))
    lab.run("rm", "/var/lib/xentool/brief.img")
    done = tool.run("pause", "brief")
    assert done.returncode == 1
    assert done.stderr.startswith("xentool: there is no domain 'brief'; there are Domain-0 (0)")
    for verb in ("destroy", "pause", "shutdown"):
        done = tool.run(verb, "0")
        assert (done.returncode, done.stderr) == (
            1,
            f"xentool: domain 0 is the host itself; {verb} is for its guests\n",
        )


@one_xen
def test_a_configuration_that_xl_refuses(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "odd.cfg"
    for text, complaint in (
        ('name = "odd"\ntype = "pv"\nmemory = 64\nkernel = "/no/such"\n', "failed to open file '/no/such'"),
        ('name = "odd\n', "odd.cfg:1: config parsing error"),
    ):
        path.write_text(text)
        done = tool.run("create", str(path))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert complaint in done.stderr
    assert tool.domain("odd") is None


def test_list_and_info_are_xls(lab: Lab, tool: Tool) -> None:
    before = lab.run("xl", "list", "0").split()
    dom0 = tool.domain("Domain-0")
    after = lab.run("xl", "list", "0").split()
    assert dom0 is not None
    assert (dom0["domid"], dom0["type"], dom0["uuid"], dom0["max_memory_bytes"]) == (0, "pv", None, None)
    assert float(before[-1]) <= dom0["cpu_seconds"] + 0.05 <= float(after[-1]) + 0.1
    assert [vcpu["vcpu"] for vcpu in dom0["each_vcpu"]] == list(range(dom0["vcpus"]))
    said = dict(line.partition(":")[::2] for line in lab.run("xl", "info").splitlines())
    info = {key.strip(): value.strip() for key, value in said.items()}
    machine = tool.json("info")
    assert (machine["hypervisor"], machine["version"]) == ("Xen", info["xen_version"])
    assert (machine["pcpus"], machine["scheduler"]) == (int(info["nr_cpus"]), info["xen_scheduler"])
    assert machine["memory_bytes"] == int(info["total_memory"]) << 20
    assert machine["virtualization"] == info["virt_caps"].split()
    assert f"Xen {info['xen_version']}" in tool("info")
    # In dom0 itself it is the same, on Debian's own packages.
    assert json.loads(lab.run("xentool", "info", "--json"))["build"] == machine["build"]
    assert "Domain-0" in lab.run("xentool", "list")
    assert lab.run("xentool", "device", "list").splitlines()[0].split()[:2] == ["Domain", "Device"]


@one_xen
def test_top_shows_a_busy_guest(lab: Lab, tool: Tool) -> None:
    domid = lab.guest("busy", "pv", workload="disk")
    counters = f"/sys/bus/xen-backend/devices/vbd-{domid}-51712/statistics"
    assert eventually(lambda: int(lab.run("cat", f"{counters}/rd_req")) > 24)
    lines = tool("top", "--json", "-n", "2", "-d", "2").splitlines()
    assert len(lines) == 2
    for line in lines:
        frame = json.loads(line)
        domains = {each["name"]: each for each in frame["domains"]}
        busy = domains["busy"]
        assert busy["cpu_percent"] > 0
        written, writes, read = (
            busy[each] * frame["span_s"] for each in ("written_bytes_per_s", "writes_per_s", "read_bytes_per_s")
        )
        assert written == pytest.approx(4096 * writes, abs=4096)  # one request is counted between two looks
        # It writes 24 times 4 KiB and reads 12 times 16 KiB, again and again; the time ends somewhere within.
        assert read == pytest.approx(2 * written, abs=14 * 16384)
        assert read + written > 0
        assert (domains["Domain-0"]["read_bytes_per_s"], busy["memory_bytes"]) == (None, 192 << 20)
    # It is alone with a disk that does something, if it comes to that within the second.
    assert eventually(lambda: tool("top", "-n", "1", "-d", "1", "--sort", "block").splitlines()[3].split()[1] == "busy")
    lab.stop("busy")


@one_xen
@a_pv_guest
@with_guest
def test_top_counts_hypercalls_while_it_traces(lab: Lab, tool: Tool, guest: tuple[str, str, int]) -> None:
    name, _, _ = guest
    # An idle guest may sleep for longer than that.
    pinging = lab.run("sh", "-c", "ping 10.77.0.99 >/dev/null 2>&1 </dev/null & echo $!")
    try:
        *_, last = tool("top", "--json", "-x", "-n", "2", "-d", "2").splitlines()
    finally:
        lab.run("kill", pinging)
    frame = json.loads(last)
    domains = {each["name"]: each for each in frame["domains"]}
    # xl itself is hypercalls of dom0's.
    assert domains["Domain-0"]["hypercalls_per_s"] > 100
    assert 0 < domains[name]["hypercalls_per_s"] < domains["Domain-0"]["hypercalls_per_s"]
    assert frame["lost_records"] == 0
    assert lab.tracing() == set()
    plain = json.loads(tool("top", "--json", "-n", "1", "-d", "1"))
    assert plain["domains"][0]["hypercalls_per_s"] is None


@one_xen
@a_pv_guest
@with_guest
def test_the_console_is_the_guests(lab: Lab, tool: Tool, guest: tuple[str, str, int]) -> None:
    name, _, domid = guest
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "xentool", "console", name, "-H", tool.host]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as child:
        os.close(theirs)
        assert seen(ours, b"Ctrl-] leaves it", HUNG)
        # Again, until dom0's side has the console.
        assert eventually(lambda: lab.run("xl", "sysrq", str(domid), "h") == "" and seen(ours, b"sysrq: HELP", 3))
        os.write(ours, b"\x1d")
        assert child.wait(HUNG) == 0
    os.close(ours)
    done = tool.run("console", name)
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr


def seen(terminal: int, words: bytes, seconds: float) -> bool:
    said = b""
    while words not in said and select.select([terminal], [], [], seconds)[0]:
        said += os.read(terminal, 4096)
    return words in said


@usually("4.17 pv")
@each_type
@with_guest
def test_shutdown_is_waited_for(lab: Lab, tool: Tool, guest: tuple[str, str, int]) -> None:
    name, _, domid = guest
    assert tool("shutdown", name, "--dry-run") == f"xl shutdown {domid}\n"
    assert tool("shutdown", name, "--wait", *PATIENT) == f"{name} has shut down\n"
    assert name not in lab.run("xl", "list")
