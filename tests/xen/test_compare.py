"""A guest's work in a lab of its own: as many doorbells as there were requests, and each page mapped for one."""

import json
import subprocess
import sys

import pytest

from tests.xen.labs import HUNG

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("_leftovers")]


def test_known_requests_give_as_many_doorbells_and_pages() -> None:
    words = ["--on", "xen-pv", "--work", "disk-write,fork", "--repeats", "1", "--json"]
    argv = [sys.executable, "-m", "xentool", "compare", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=HUNG)
    assert done.returncode == 0, done.stderr
    (technique,) = json.loads(done.stdout)["techniques"]
    written, forked = technique["works"]
    means = {figure: of["mean"] for figure, of in written["figures"].items()}
    # One request at a time: nothing is batched. The log's own doorbell is taken off, but for one that comes late.
    assert means["doorbells"] == pytest.approx(1.0, abs=0.1), written
    assert means["grant_maps"] == pytest.approx(1.0, abs=0.1)
    assert means["grant_unmaps"] == pytest.approx(1.0, abs=0.1)
    # A guest that is awake for its clock needs no wake.
    assert 0.4 < means["completions"] < 1.2, written
    # Direct paging has Xen check each change of a page table; a write of a page makes none.
    assert forked["figures"]["page_tables"]["mean"] > 100 * max(means["page_tables"], 1)
