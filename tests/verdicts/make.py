"""What the conformance kit says of drivers on real Xen: judges all of them, in the lab, on each Xen.

python -m tests.verdicts.make                              as `make conformance` does; writes XEN.json beside this
python -m tests.verdicts.make 4.17 blkback qdisk           these alone, and leaves the others as they were
python -m tests.verdicts.make 4.17 netback --minutes 8     goes on where it was, and stops after so many minutes

A driver is judged by a few cases at a time, and what is known is kept (``build/verdicts``, to be removed where the kit
has changed): it is told once there is all of it, of one version. Cases that may crash a kernel are run: dom0 and guests
are the lab's. `python -m tests.docs.verdicts` makes a page of it.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Case, Risk, Verdict
from pvdrivers.xenbus import Role
from tests.xen.blocks import Guest
from tests.xen.labs import Lab
from tests.xen.packages import install
from tests.xen.userland import bring_python
from xentool.lab import api

FOLDER = Path(__file__).parent
KEPT = Path("build/verdicts")
LAB = "verdicts"
#: What ran anything: a driver failed, or nothing could be tested of it.
_STATUSES = {0, 3, 5}
#: What a guest is none the worse for.
_HARMLESS = {Verdict.PASS, Verdict.QUIRK, Verdict.UNSUPPORTED, Verdict.WITHHELD}
#: Cases that are run at once, and what is lost if a lab is.
_AT_ONCE = 8


class Driver(NamedTuple):
    """A driver, and which cases it has: its kind's, of those that match."""

    device: str
    role: Role
    pattern: str
    guest: bool = False
    qemu: bool = False
    #: Whose lab has it.
    releases: tuple[str, ...] = tuple(api.RELEASES)

    @property
    def cases(self) -> list[Case]:
        """Its cases."""
        return registry.chosen(self.device, self.role, (self.pattern,))


#: Guests that may break, by how the page calls the frontend in each: its type.
GUESTS = ("pv", "pvh")
DRIVERS = {
    "blkback": Driver("block", Role.BACK, "BB[0-9]*"),
    "qdisk": Driver("block", Role.BACK, "BB[0-9]*", qemu=True),
    "block-backend-xen": Driver("block", Role.BACK, "BB[0-9]*"),
    "block-frontend-xen": Driver("block", Role.FRONT, "BF[0-9]*"),
    "linux-block-frontend": Driver("block", Role.FRONT, "BF[0-9]*", guest=True),
    "netback": Driver("net", Role.BACK, "NB[0-9]*"),
    # QEMU has had it, by the ways that the kit knows, since 8.2.
    "qnic": Driver("net", Role.BACK, "NB[0-9]*", qemu=True, releases=("4.20",)),
    "net-backend-xen": Driver("net", Role.BACK, "NB[0-9]*"),
    "net-frontend-xen": Driver("net", Role.FRONT, "NF[0-9]*"),
    "linux-net-frontend": Driver("net", Role.FRONT, "NF[0-9]*", guest=True),
}
#: All, in the order of the page.
SUBJECTS = [
    f"{name}@{guest}" if guest else name
    for name, driver in DRIVERS.items()
    for guest in (GUESTS if driver.guest else ("",))
]


class Found:
    """What is known of a driver, case by case; all of one version."""

    def __init__(self, xen: str, subject: str, cases: Sequence[Case]) -> None:
        self._path = KEPT / xen / f"{subject}.json"
        self._cases = cases
        self.part: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}
        self._known = {case["id"]: case for case in self.part.get("cases", [])}

    @property
    def missing(self) -> list[Case]:
        """Cases that nothing is known of."""
        return [case for case in self._cases if case.ident not in self._known]

    def add(self, part: dict[str, Any]) -> None:
        """Take what a run has found, and keep it; what is known of another version is known no more."""
        if part["version"] != self.part.get("version"):
            self._known = {}
        self._known |= {case["id"]: case for case in part["cases"]}
        found = [self._known[case.ident] for case in self._cases if case.ident in self._known]
        self.part = {**part, "cases": found, "summary": dict(Counter(case["verdict"] for case in found))}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.part))

    def told(self) -> dict[str, Any]:
        """Give all of it, and keep nothing: the next time it is judged anew."""
        self._path.unlink()
        return self.part


def groups(driver: Driver, cases: Sequence[Case]) -> Iterator[list[Case]]:
    """Give what is run at once: what may break a guest is run by itself, behind all else."""
    alone = [case for case in cases if driver.guest and case.risk is not Risk.SAFE]
    others = [case for case in cases if case not in alone]
    for at in range(0, len(others), _AT_ONCE):
        yield others[at : at + _AT_ONCE]
    for case in alone:
        yield [case]


def judged(lab: Lab, subject: str, cases: Sequence[Case]) -> dict[str, Any]:
    """Judge a driver by some cases.

    :raises RuntimeError: the kit itself did not run
    """
    words = [word for case in cases for word in ("--case", case.ident)]
    there = ["lab", "run", "--name", lab.name, "xentool", "conformance", subject, "--lab", "--quick", "--json", *words]
    done = subprocess.run([sys.executable, "-m", "xentool", *there], stdout=subprocess.PIPE, check=False)
    if done.returncode not in _STATUSES:
        raise RuntimeError(f"{subject}: the kit has ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    for case in found["cases"]:
        what = f"{subject} {found['version']} {case['id']} {case['verdict']}: {case['observation']}"
        print(f"{what} ({case['seconds']:.0f} s)", flush=True)
    return found


def start(lab: Lab, guest: str, driver: Driver) -> None:
    """Have a new guest for a driver in one."""
    lab.away(guest)
    made = Guest(lab, guest, guest, 1, ("feature_persistent=0",) if driver.device == "net" else ())
    if driver.device == "net":
        bring_python(made)


def make(lab: Lab, subject: str, until: float) -> dict[str, Any] | None:
    """Judge a driver, as far as there is time; give what is known of it, if that is all."""
    name, _, guest = subject.partition("@")
    driver = DRIVERS[name]
    found = Found(lab.xen, subject, driver.cases)
    fresh = False
    for group in groups(driver, found.missing):
        if time.monotonic() > until:
            return None
        if driver.guest and not fresh:
            start(lab, guest, driver)
        part = judged(lab, subject, group)
        found.add(part)
        # A guest that any harm may have come to is not asked about other cases.
        fresh = all(case["verdict"] in _HARMLESS for case in part["cases"])
    return found.told()


def judge_all(xen: str, wanted: Sequence[str], minutes: float) -> Iterator[dict[str, Any]]:
    """Judge drivers on one Xen, those that it has, for so long."""
    wanted = [subject for subject in wanted if xen in DRIVERS[subject.partition("@")[0]].releases]
    api.up(LAB, xen=xen)
    until = time.monotonic() + 60 * minutes
    try:
        with closing(Lab(LAB, xen)) as lab:
            if any(DRIVERS[subject.partition("@")[0]].qemu for subject in wanted):
                install(lab, "qemu-system-xen", without=("usr/share", "usr/lib/ipxe"))
            for subject in wanted:
                if (one := make(lab, subject, until)) is not None:
                    yield one
    finally:
        api.down(LAB)


def main() -> None:
    """Judge the drivers that are named on one version of Xen; or all, on all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("xen", nargs="?", choices=api.RELEASES)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    words = parser.parse_args()
    if unknown := [subject for subject in words.subjects if subject not in SUBJECTS]:
        parser.error(f"no {' or '.join(unknown)}: there are {', '.join(SUBJECTS)}")
    for xen in [words.xen] if words.xen else api.RELEASES:
        path = FOLDER / f"{xen}.json"
        found = {one["subject"]: one for one in (json.loads(path.read_text()) if path.exists() else [])}
        for one in judge_all(xen, words.subjects or SUBJECTS, words.minutes):
            found[one["subject"]] = one
            known = [found[subject] for subject in SUBJECTS if subject in found]
            path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
