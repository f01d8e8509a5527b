"""Techniques side by side in labs of their own: as many doorbells as there were requests, and each one's own work."""

import json
import subprocess
import sys

import pytest

from tests.xen.labs import HUNG

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("_leftovers")]


def test_known_requests_give_as_many_doorbells_under_xen_and_under_kvm() -> None:
    words = ["--on", "xen-pv,kvm-virtio", "--work", "disk-write", "--repeats", "1", "--json"]
    argv = [sys.executable, "-m", "xentool", "compare", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=HUNG)
    assert done.returncode == 0, done.stderr
    found = {each["name"]: each["works"][0] for each in json.loads(done.stdout)["techniques"]}
    means = {name: {figure: of["mean"] for figure, of in work["figures"].items()} for name, work in found.items()}
    for name in ("xen-pv", "kvm-virtio"):
        # One request at a time: nothing is batched.
        assert means[name]["doorbells"] == pytest.approx(1.0, abs=0.1), found[name]
        assert means[name]["completions"] == pytest.approx(1.0, abs=0.3), found[name]
    assert means["xen-pv"]["grant_maps"] == pytest.approx(1.0, abs=0.1)
    assert means["xen-pv"]["grant_unmaps"] == pytest.approx(1.0, abs=0.1)
    # The doorbell is answered in the kernel.
    assert means["kvm-virtio"]["device_model"] == pytest.approx(0.0, abs=0.1)
    assert found["kvm-virtio"]["kinds"]["doorbells"].keys() == {
        kind for kind in found["kvm-virtio"]["kinds"]["doorbells"] if kind.startswith("write 0x")
    }
