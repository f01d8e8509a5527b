"""Drivers on real Xen, judged by some cases of the conformance kit: dom0's kernel, ours, and a guest's kernel.

All cases, on QEMU's disks too: `make conformance`.
"""

import json
import signal
from functools import partial

import pytest

from tests.xen.blocks import Guest
from tests.xen.labs import Lab, one_xen
from tests.xen.undisturbed import undisturbed
from tests.xen.userland import bring_python

pytestmark = pytest.mark.lab

#: What Linux's backend does otherwise, or by ways that only it has: a ring that is given up, pages that are mapped, a
#: barrier, a frontend that dies.
BACKENDS = {
    "blkback": {"BB01": "pass", "BB05": "pass", "BB13": "pass", "BB24": "pass", "BB27": "pass"},
    # Pages and channels are gntdev's and evtchn's.
    "block-backend-xen": {"BB01": "pass", "BB05": "pass", "BB06": "pass", "BB24": "pass"},
    # A script that is waited for, queues, nodes that make no sense, a quirk.
    "netback": {"NB01": "pass", "NB02": "pass", "NB04": "pass", "NB28": "quirk"},
}
#: In dom0: a run that gets a signal in a case, once it has devices; tells how it ended.
STOPPED = """
import subprocess, sys, time
run = subprocess.Popen(["xentool", "conformance", "blkback", "--case", "BB08"], stdout=subprocess.DEVNULL)
while subprocess.run(["xenstore-exists", "/local/domain/0/backend/vbd/0"]).returncode:
    time.sleep(0.2)
run.send_signal(int(sys.argv[1]))
print(run.wait())
"""
#: In dom0: what is left of a run in XenStore, and of its loop devices.
LEFT = "xenstore-ls -f / | grep xentool-conformance; losetup -n -O BACK-FILE | grep conformance"
#: In a guest: what it has of devices.
_DEVICES = "echo $(ls /sys/block /sys/class/net)"
#: What guests' frontends do.
FRONTENDS = {
    "linux-block-frontend": {"BF02": "pass", "BF06": "pass"},
    "linux-net-frontend": {"NF01": "pass", "NF04": "pass"},
}


def judged(lab: Lab, subject: str, cases: dict[str, str]) -> None:
    """Judge a driver by some cases, and hold that its verdicts are as they were."""
    chosen = [word for case in cases for word in ("--case", case)]
    said = lab.run("xentool", "conformance", subject, "--lab", "--quick", "--json", *chosen, check=False)
    found = {case["id"]: (case["verdict"], case["observation"]) for case in json.loads(said)["cases"]}
    assert {case: verdict for case, (verdict, _) in found.items()} == cases, found
    assert found.keys() == cases.keys()


def stopped(lab: Lab, number: signal.Signals) -> int:
    """Have a run get a signal, and give its status."""
    return int(lab.run("python3", "-", str(int(number)), input=STOPPED.encode()))


@pytest.mark.usually("4.17 blkback", "4.20 blkback", "4.17 netback", "4.20 block-backend-xen")
@pytest.mark.parametrize("subject", BACKENDS)
def test_backends_in_dom0(lab: Lab, subject: str) -> None:
    with undisturbed(lab):
        judged(lab, subject, BACKENDS[subject])
    assert lab.run("sh", "-c", LEFT, check=False) == ""


@one_xen
def test_what_is_interrupted_leaves_nothing_and_what_is_killed_is_swept_by_the_next(lab: Lab) -> None:
    assert stopped(lab, signal.SIGINT) == 130
    assert lab.run("sh", "-c", LEFT, check=False) == ""
    assert stopped(lab, signal.SIGKILL) == -signal.SIGKILL
    left = lab.run("sh", "-c", LEFT)
    assert "/local/domain/0/device/uvbd/" in left
    assert "/disk-" in left
    judged(lab, "blkback", {"BB21": "pass"})
    assert lab.run("sh", "-c", LEFT, check=False) == ""


@pytest.mark.usually("4.17 pv linux-net-frontend", "4.20 pvh linux-block-frontend")
@pytest.mark.parametrize("subject", FRONTENDS)
@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_a_guests_frontend(lab: Lab, kind: str, subject: str) -> None:
    name = f"judged{kind}"
    lab.outlived(name, partial(_frontend, lab, name, kind, subject), partial(lab.away, name))


def _frontend(lab: Lab, name: str, kind: str, subject: str) -> None:
    guest = Guest(lab, name, kind, 1, ())
    if subject == "linux-net-frontend":
        bring_python(guest)
    before = guest.run(_DEVICES)
    judged(lab, f"{subject}@{name}", FRONTENDS[subject])
    # It lives, and has what it had: Linux takes a disk away some time after it was told.
    assert guest.run(f'while [ "$({_DEVICES})" != "{before}" ]; do sleep 0.2; done; echo as before') == "as before"
