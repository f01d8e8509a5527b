"""What the conformance kit says of drivers on real Xen: judges all of them, in the lab, on each Xen.

python -m tests.verdicts.make                     as `make conformance` does; writes XEN.json beside this
python -m tests.verdicts.make 4.17 blkback qdisk  these alone, and leaves the others as they were

Cases that may crash a kernel are run: dom0 and guests are the lab's. `python -m tests.docs.verdicts` makes a page of
it.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Case, Risk
from pvdrivers.xenbus import Role
from tests.xen.labs import Lab
from tests.xen.packages import install
from xentool.lab import api

FOLDER = Path(__file__).parent
LAB = "verdicts"
#: Guests that may break: by how the page calls the frontend in each, what it is started with.
GUESTS = {"pv": ("pv", 1), "pvh": ("pvh", 1)}
#: Drivers, and which cases they have: their role's, of those that match.
DRIVERS = {
    "blkback": (Role.BACK, ("BB[0-9]*",)),
    "qdisk": (Role.BACK, ("BB[0-9]*",)),
    "block-backend-xen": (Role.BACK, ("BB[0-9]*",)),
    "block-frontend-xen": (Role.FRONT, ("BF[0-9]*",)),
    "linux-block-frontend": (Role.FRONT, ("BF[0-9]*",)),
}
IN_GUESTS = ("linux-block-frontend",)
#: What ran anything: a driver failed, or nothing could be tested of it.
_STATUSES = {0, 3, 5}


def judged(lab: Lab, subject: str, cases: Sequence[str]) -> dict[str, Any]:
    """Judge a driver by some cases.

    :raises RuntimeError: the kit itself did not run
    """
    words = [word for case in cases for word in ("--case", case)]
    there = ["lab", "run", "--name", lab.name, "xentool", "conformance", subject, "--lab", "--quick", "--json", *words]
    done = subprocess.run([sys.executable, "-m", "xentool", *there], stdout=subprocess.PIPE, check=False)
    if done.returncode not in _STATUSES:
        raise RuntimeError(f"{subject}: the kit has ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    for case in found["cases"]:
        print(f"{subject} {found['version']} {case['id']} {case['verdict']}: {case['observation']}", flush=True)
    return found


def judged_in(lab: Lab, subject: str, guest: str, cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    """Judge a driver of a guest, and give what is known so far: what may break a guest has one of its own."""
    kind, vcpus = GUESTS[guest]
    groups = [[case.ident] for case in cases if case.risk is not Risk.SAFE]
    groups += [[case.ident for case in cases if case.risk is Risk.SAFE]]
    by_ident: dict[str, Any] = {}
    for group in groups:
        lab.away(guest)
        api.guest_start(api.Guest(guest, kind, vcpus, 512, workload="shell"), lab.name)
        part = judged(lab, f"{subject}@{guest}", group)
        by_ident |= {case["id"]: case for case in part["cases"]}
        found = [by_ident[case.ident] for case in cases if case.ident in by_ident]
        yield {**part, "cases": found, "summary": dict(Counter(case["verdict"] for case in found))}


def make(xen: str, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Judge drivers on one Xen."""
    api.up(LAB, xen=xen)
    try:
        with closing(Lab(LAB, xen)) as lab:
            if "qdisk" in wanted:
                install(lab, "qemu-system-xen", without=("usr/share", "usr/lib/ipxe"))
            for subject in wanted:
                driver, _, guest = subject.partition("@")
                cases = registry.chosen("block", *DRIVERS[driver])
                if guest:
                    yield from judged_in(lab, driver, guest, cases)
                else:
                    yield judged(lab, subject, [case.ident for case in cases])
    finally:
        api.down(LAB)


def main(words: list[str]) -> None:
    """Judge the drivers that are named on one version of Xen; or all, on all."""
    every = [subject for subject in DRIVERS if subject not in IN_GUESTS]
    every += [f"{subject}@{guest}" for guest in GUESTS for subject in IN_GUESTS]
    for xen in words[:1] or api.RELEASES:
        path = FOLDER / f"{xen}.json"
        found = {one["subject"]: one for one in (json.loads(path.read_text()) if path.exists() else [])}
        for one in make(xen, words[1:] or every):
            found[one["subject"]] = one
            # In the order of the page, and as far as it has come.
            known = [found[subject] for subject in every if subject in found]
            path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
