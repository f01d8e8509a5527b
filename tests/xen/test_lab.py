"""The lab on real Xen, by its own command line."""

import json
import subprocess
import sys

import pytest

from tests.xen.labs import HUNG, Lab, eventually, one_xen, usually
from xentool.lab import api, guests, xl_guest
from xentool.lab.places import DATA_IN_DOM0

pytestmark = pytest.mark.lab


def xentool(*words: str, input: str = "", timeout: float = HUNG) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "xentool", "lab", *words]
    return subprocess.run(argv, input=input, capture_output=True, text=True, check=False, timeout=timeout)


def test_status_tells_how_it_is(lab: Lab) -> None:
    labs = {each["name"]: each for each in json.loads(xentool("status", "--json").stdout)["labs"]}
    assert (labs[lab.name]["state"], labs[lab.name]["xen"]) == ("up", lab.xen)
    assert lab.name in xentool("status").stdout


@one_xen
def test_up_again_finds_it_up(lab: Lab) -> None:
    done = xentool("up", "--name", lab.name, "--xen", lab.xen)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"lab {lab.name} is up: Xen {lab.xen}")


@one_xen
def test_up_with_another_xen_is_refused(lab: Lab) -> None:
    other = next(xen for xen in api.RELEASES if xen != lab.xen)
    done = xentool("up", "--name", lab.name, "--xen", other)
    assert done.returncode == 1
    assert f"lab {lab.name} runs Xen {lab.xen} already" in done.stderr


@one_xen
def test_run_passes_words_streams_and_status(lab: Lab) -> None:
    done = xentool("run", "--name", lab.name, "sh", "-c", 'cat; echo "$1" >&2; exit 7', "sh", "a  b'", input="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "in\n", "a  b'\n")


def test_dom0_has_this_checkout(lab: Lab) -> None:
    assert "version" in lab.run("xentool", "--version")
    assert xentool("sync", "--name", lab.name).stdout.startswith("dom0 has xentool")
    assert (
        lab.run("python3", "-c", "import traces.xen.decode.tokenize as t; print(t.__file__.endswith('.abi3.so'))")
        == "True"
    )


@one_xen
def test_only_the_key_opens_it_and_only_from_here(lab: Lab) -> None:
    settings = lab.run("/usr/sbin/sshd", "-T")
    assert "passwordauthentication no" in settings
    assert "kbdinteractiveauthentication no" in settings
    port = next(each.lab.ssh_port for each in api.status() if each.lab.name == lab.name)
    listening = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[3] for line in listening.splitlines()] == [f"127.0.0.1:{port}"]


def test_logs(lab: Lab) -> None:
    shown = xentool("logs", "--name", lab.name).stdout
    assert "Xen version" in shown or "(XEN)" in shown
    assert "xentool-lab: dom0 ready" in shown


@usually("4.17 pv", "4.20 pvh")
@pytest.mark.parametrize("kind", api.XEN.types)
def test_a_guest_from_start_to_stop(lab: Lab, kind: str) -> None:
    name = f"short-{kind}"
    lab.outlived(name, lambda: from_start_to_stop(lab, name, kind))


def from_start_to_stop(lab: Lab, name: str, kind: str) -> None:
    started = xentool("guest", "start", name, "--name", lab.name, "--type", kind, "--workload", "disk")
    assert started.returncode == 0, started.stderr
    listed = json.loads(xentool("guest", "list", "--json", "--name", lab.name).stdout)["guests"]
    guest = next(each for each in listed if each["name"] == name)
    assert (guest["type"], guest["vcpus"], guest["workload"]) == (kind, 1, "disk")
    for device in ("vbd/51712", "vif/0"):
        assert lab.run("xenstore-read", f"/local/domain/{guest['domid']}/device/{device}/state") == "4"
    machine = next(each.lab for each in api.status() if each.lab.name == lab.name)
    may_run = lab.run("sh", "-c", f"xl vcpu-list {name} | awk 'NR == 2 {{ print $7 }}'")
    assert may_run == ("1" if (kind, machine.accel) == ("pvh", "tcg") else "all")
    again = xentool("guest", "start", name, "--name", lab.name)
    assert (again.returncode, again.stderr.count("\n")) == (1, 2)
    assert "runs already" in again.stderr
    assert "xentool-guest: ready" in xentool("logs", "--guest", name, "--name", lab.name).stdout
    assert xentool("guest", "stop", name, "--name", lab.name).stdout == f"{name} is stopped\n"
    assert name not in lab.run("xl", "list")
    # A loop device that the kernel's backend still holds goes when that lets go.
    assert eventually(lambda: name not in lab.run("losetup", "-a"))


@one_xen
def test_a_guest_that_cannot_be(lab: Lab) -> None:
    done = xentool("guest", "start", "big", "--name", lab.name, "--memory", "9000")
    assert done.returncode == 1
    assert "xl refuses to start big" in done.stderr
    assert "big" not in lab.run("xl", "list")
    done = xentool("guest", "stop", "nobody", "--name", lab.name)
    assert done.returncode == 1
    assert "there is no guest nobody" in done.stderr


@one_xen
def test_a_guest_whose_kernel_fails_is_shown_failing(lab: Lab) -> None:
    doomed = xl_guest.configuration(api.Guest("doomed"), "word").replace('"console=', '"rdinit=/none panic=1 console=')
    for _ in range(3):
        done = xentool(*f"run --name {lab.name} {DATA_IN_DOM0}/guest-start.sh doomed word 64 400".split(), input=doomed)
        # Under emulation a guest's kernel now and then fails before it could.
        if "mount_block_root" in done.stdout:
            break
    assert done.returncode == guests.DIED
    assert "Kernel panic - not syncing" in done.stdout.splitlines()[0]
    assert "mount_block_root" in done.stdout


@one_xen
def test_a_working_guest_has_grants_mapped_and_sound_programs(lab: Lab) -> None:
    domid = lab.guest("domU", "pv", vcpus=2)
    received = f"/sys/class/net/vif{domid}.0/statistics/rx_bytes"
    before = int(lab.run("cat", received))
    assert eventually(lambda: int(lab.run("cat", received)) > before + 7000)
    # Emulated vector registers once got mixed up, and programs died of it.
    console = lab.run("cat", "/var/log/xen/console/guest-domU.log")
    for complaint in ("Segmentation fault", "Aborted", "malloc"):
        assert complaint not in console
    lab.stop("domU")  # it would starve dom0 in the tests after this
