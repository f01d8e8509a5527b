"""What a host's facts say of what works there: the table of rules, and the script that tells facts."""

import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.xentool.cli.inprocess import ran
from xentool import extras
from xentool.hosts.local import LocalHost
from xentool.tools.doctor import checks, facts

DOM0 = """\
uid 0
kernel 6.1.0-49-amd64
hypervisor xen
dom0 yes
tool.xl /usr/sbin/xl
tool.xentrace /usr/lib/xen-4.17/bin/xentrace
tool.bash /usr/bin/bash
tool.flock /usr/bin/flock
xen 4.17.5
console yes
device.gntdev yes
device.evtchn yes
device.gntalloc yes
device.privcmd yes
device.xenbus yes
device.tun yes
device.kvm missing
socket.xenstored yes
socket.libvirt missing
load 0.12
cpus 4
memory_kib 800000
room_kib 500000
"""
#: What is changed in those lines, and what is wrong then: a capability, why, and what mends it.
FAULTS = {
    "xl-not-there": ("tool.xl /usr/sbin/xl\n", "", "domains", "xl is not installed", "apt install xen-utils-common"),
    "xl-fails": (
        "xen 4.17.5\n",
        "xl.error xc: error: Could not obtain handle on privileged command interface\n",
        "domains",
        "xl fails: xc: error: Could not obtain handle on privileged command interface",
        "systemctl restart xen, and look at xl info",
    ),
    "no-root": ("uid 0\n", "uid 1000\n", "tracing Xen", "only root may", "run it by sudo, or give -H ssh://root@HOST"),
    "no-xentrace": (
        "tool.xentrace /usr/lib/xen-4.17/bin/xentrace\n",
        "",
        "tracing Xen",
        "xentrace is not installed",
        "apt install xen-utils-common",
    ),
    "held": (
        "console yes\n",
        "console yes\ntracer 812 xenbaked\n",
        "tracing Xen",
        "xenbaked has Xen's trace buffers (process 812)",
        "kill 812, if nobody needs it",
    ),
    "no-store": (
        "device.xenbus yes\n",
        "",
        "XenStore",
        "no XenStore is running",
        "systemctl start xenstored",
    ),
    "no-console": (
        "console yes\n",
        "console.error xc_readconsolering: Operation not permitted\n",
        "grants and ports",
        "xl dmesg fails: xc_readconsolering: Operation not permitted",
        "xl dmesg says more",
    ),
    "no-gntalloc": (
        "device.gntalloc yes\n",
        "device.gntalloc missing\n",
        "PV drivers",
        "the kernel has no device gntalloc",
        "modprobe xen-gntalloc",
    ),
    "denied": (
        "device.gntdev yes\n",
        "device.gntdev denied\n",
        "PV drivers",
        "the device gntdev cannot be opened",
        "look at its mode and at the container",
    ),
    "no-tun": (
        "device.tun yes\n",
        "device.tun missing\n",
        "TAP interfaces",
        "the kernel has no device tun",
        "modprobe tun",
    ),
}


def judged(text: str, *, here: bool = False) -> dict[str, checks.Verdict]:
    return {one.check.name: one for one in checks.judged(facts.parsed(text.encode()), here=here)}


def test_of_a_dom0_all_of_xen_works() -> None:
    assert {name: one.state for name, one in judged(DOM0).items()} == {
        "domains": "works",
        "XenStore": "works",
        "tracing Xen": "works",
        "grants and ports": "works",
        "PV drivers": "works",
        "TAP interfaces": "works",
        "tracing KVM": "elsewhere",
        "libvirt": "elsewhere",
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_missing_is_told_with_what_mends_it(fault: str) -> None:
    old, new, name, why, mend = FAULTS[fault]
    text = DOM0.replace(old, new)
    if fault == "no-store":
        text = text.replace("socket.xenstored yes", "socket.xenstored missing")
    assert text != DOM0
    found = judged(text)[name]
    assert (found.state, found.missing) == ("missing", checks.Missing(why, mend))


def test_a_machine_without_xen_is_sent_elsewhere_and_may_trace_kvm() -> None:
    text = "uid 0\ndevice.kvm yes\ntracefs /sys/kernel/tracing\ndevice.tun yes\n"
    found = judged(text + "tracefs.kvm yes\n")
    assert {
        one.state for name, one in found.items() if one.check.rule in (checks.CHECKS[0].rule, checks.CHECKS[2].rule)
    } == {"elsewhere"}
    assert found["tracing KVM"].state == "works"
    unloaded = judged(text)["tracing KVM"].missing
    assert unloaded is not None
    assert unloaded.mend == "modprobe kvm_intel, or kvm_amd"


def test_a_lab_takes_programs_libraries_room_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "tool.qemu-system-x86_64 /q\ntool.mmdebstrap /m\ntool.newuidmap /n\nroom_kib 9000000\nmemory_kib 8000000\n"
    assert judged(text, here=True)["a lab"].state == "works"
    assert "a lab" not in judged(text)
    little = judged(text.replace("9000000", "1048576"), here=True)["a lab"].missing
    assert little == checks.Missing("1.0 GiB of room in the cache, a lab takes 4", "XENTOOL_CACHE=FOLDER elsewhere")
    tight = judged(text.replace("8000000", "2097152"), here=True)["a lab"].missing
    assert tight == checks.Missing("2.0 GiB of free memory, a lab takes 3", "xentool lab up --memory")
    monkeypatch.setattr(extras, "is_there", lambda module: module != "qemu.qmp")
    without = judged(text, here=True)["a lab"].missing
    assert without == checks.Missing("qemu.qmp is not installed", extras.command("qemu.qmp"))


def test_a_loaded_host_is_told() -> None:
    assert checks.busy(facts.parsed(b"load 7.9\ncpus 4\n")) is None
    assert (
        checks.busy(facts.parsed(b"load 8.5\ncpus 4\n")) == "load 8.5 on 4 CPUs: whatever is asked of it takes longer"
    )
    assert checks.busy(facts.parsed(b"load lots\ncpus 4\n")) is None


def test_a_host_is_believed_no_more_than_it_may_say() -> None:
    assert facts.parsed(b"uid 0\n\nnothing\n\xff\xfe x\ntracer 1 xentrace\ntracer 2 xenbaked\n") == {
        "uid": ["0"],
        "\ufffd\ufffd": ["x"],
        "tracer": ["1 xentrace", "2 xenbaked"],
    }
    assert len(facts.parsed(b"".join(b"key%d v\n" % number for number in range(5000)))) == 200


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"]])
def test_the_script_tells_of_this_machine_in_any_shell(shell: list[str], tmp_path: Path) -> None:
    script = files("xentool.tools.doctor").joinpath("facts.sh").read_bytes()
    done = subprocess.run([*shell, "-s", str(tmp_path / "not/yet")], input=script, capture_output=True, check=True)
    found = facts.parsed(done.stdout)
    assert done.stderr == b""
    assert found["uid"] == [str(os.getuid())]
    assert found["kernel"] == [os.uname().release]
    assert found["cpus"] == [str(os.cpu_count())]
    free = os.statvfs(tmp_path)
    assert facts.number(found, "room_kib") == pytest.approx(free.f_bavail * free.f_frsize / 1024, rel=0.2)


def test_a_tracer_that_runs_is_found(tmp_path: Path) -> None:
    # The kernel calls a process by its file.
    (tmp_path / "xenbaked").symlink_to("/bin/sleep")
    with subprocess.Popen([str(tmp_path / "xenbaked"), "3600"]) as tracer:
        try:
            assert f"{tracer.pid} xenbaked" in facts.gather(LocalHost(), tmp_path)["tracer"]
        finally:
            tracer.kill()


def test_lines_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOM0.replace("tool.xentrace /usr/lib/xen-4.17/bin/xentrace\n", "").replace("load 0.12", "load 9")
    monkeypatch.setattr(facts, "gather", lambda _host, _folder: facts.parsed(text.encode()))
    lines = ran("doctor").stdout.splitlines()
    assert lines[0] == "works     domains           list, info, show, top, create, device"
    assert lines[2:4] == [
        "missing   tracing Xen       trace, record, top -x",
        "          xentrace is not installed: apt install xen-utils-common",
    ]
    assert lines[-1] == "load 9 on 4 CPUs: whatever is asked of it takes longer"
