"""What the conformance kit says of drivers on real Xen: judges all of them, in the lab, on each Xen.

python -m tests.verdicts.make                              as `make conformance` does; writes XEN.json beside this
python -m tests.verdicts.make 4.17 blkback qdisk           these alone, and leaves the others as they were
python -m tests.verdicts.make 4.17 netback --minutes 8     goes on where it was, and stops after so many minutes

Dom0's drivers are judged one after the other, and so are those of each guest, at the same time: none counts what is
another's. Each verdict is kept (``build/verdicts``, to be removed where the kit has changed): a driver is told of once
there is all of it, of one version. Cases that may crash a kernel are run: dom0 and guests are the lab's. `python -m
tests.docs.verdicts` makes a page of it.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from pvdrivers.conformance.case import Case, Verdict
from tests.verdicts.drivers import SUBJECTS, Driver, driver_of, guest_of
from tests.verdicts.found import Found
from tests.verdicts.inside import breaks
from tests.xen.blocks import Guest
from tests.xen.labs import Lab
from tests.xen.userland import bring_python
from xentool.errors import XentoolError
from xentool.lab import api

FOLDER = Path(__file__).parent
#: What labs are called; each Xen has one of its own, so that two runs do not meet.
LAB = "verdicts"
#: How often in a row a driver's process may end without a verdict: emulation ends guests, too.
_LIVES = 3
#: Seconds that those who judge may take to see that their lab is gone.
_PATIENCE = 60.0


class Turn:
    """One lab's time, on one Xen.

    :ivar over: the lab is gone, or as good as
    """

    def __init__(self, xen: str) -> None:
        self.xen, self.lab = xen, f"{LAB}-{xen}"
        self.over = threading.Event()
        self._path = FOLDER / f"{xen}.json"
        self._writing, self._starting = threading.Lock(), threading.Lock()

    def judge_all(self, wanted: Sequence[str], minutes: float) -> None:
        """Judge drivers, those that this Xen has, for so long."""
        until = time.monotonic() + 60 * minutes
        lanes: list[threading.Thread] = []
        try:
            api.up(self.lab, xen=self.xen)
            for alone in (False, True):
                lanes += self._started([subject for subject in wanted if driver_of(subject).alone is alone])
                for lane in lanes:
                    lane.join(min(max(until - time.monotonic(), 0.0), threading.TIMEOUT_MAX))
                if time.monotonic() >= until:
                    break
        finally:
            self.over.set()
            api.down(self.lab)
        for lane in lanes:
            lane.join(_PATIENCE)

    def _started(self, subjects: Sequence[str]) -> list[threading.Thread]:
        # A lane for dom0's, and one for each guest's.
        lanes = [list(lane) for _, lane in groupby(sorted(subjects, key=guest_of), guest_of)]
        threads = [threading.Thread(target=self._lane, args=(lane,), daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        return threads

    def _lane(self, subjects: Sequence[str]) -> None:
        with closing(Lab(self.lab, self.xen)) as lab:
            for subject in subjects:
                try:
                    self._tell(self._whole(lab, subject))
                except (XentoolError, RuntimeError, OSError, subprocess.SubprocessError) as error:
                    if self.over.is_set():
                        return
                    print(f"{subject}: {error}", flush=True)

    def _whole(self, lab: Lab, subject: str) -> dict[str, Any]:
        # Judges a driver by what nothing is known of yet.
        driver, found, empty = driver_of(subject), Found(lab.xen, subject, driver_of(subject).cases), 0
        while missing := found.missing:
            if guest := guest_of(subject):
                with self._starting:
                    start(lab, guest, driver)
            for part in judged(lab, subject, missing):
                found.add(part)
                if guest and breaks(subject, Verdict(part["cases"][0]["verdict"])):
                    # Whoever waits for it yet need not.
                    lab.away(guest)
            empty = empty + 1 if len(found.missing) == len(missing) else 0
            if empty == _LIVES:
                raise RuntimeError(f"it ended {_LIVES} times without a verdict")
        return found.told()

    def _tell(self, one: Mapping[str, Any]) -> None:
        with self._writing:
            known = json.loads(self._path.read_text()) if self._path.exists() else []
            found = {**{each["subject"]: each for each in known}, one["subject"]: one}
            known = [found[subject] for subject in SUBJECTS if subject in found]
            self._path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
        print(f"{one['subject']} {one['version']}: {one['summary']}", flush=True)


def judged(lab: Lab, subject: str, cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    """Judge a driver by some cases, as far as that goes; give a document for each."""
    program = (FOLDER / "inside.py").read_bytes()
    there = ["lab", "run", "--name", lab.name, "python3", "-", subject, *(case.ident for case in cases)]
    argv = [sys.executable, "-m", "xentool", *there]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(program)
        running.stdin.close()
        for line in running.stdout:
            found: dict[str, Any] = json.loads(line)
            (case,) = found["cases"]
            what = f"{found['subject']} {found['version']} {case['id']} {case['verdict']}: {case['observation']}"
            print(f"{time.strftime('%T')} {what} ({case['seconds']:.0f} s)", flush=True)
            yield found


def start(lab: Lab, guest: str, driver: Driver) -> None:
    """Have a new guest for a driver in one."""
    lab.away(guest)
    made = Guest(lab, guest, guest, 1, ("feature_persistent=0",) if driver.device == "net" else ())
    if driver.device == "net":
        bring_python(made)


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
        wanted = [subject for subject in words.subjects or SUBJECTS if xen in driver_of(subject).releases]
        Turn(xen).judge_all(wanted, words.minutes)


if __name__ == "__main__":
    main()
