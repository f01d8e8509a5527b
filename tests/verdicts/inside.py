"""In dom0: judges a driver, and tells each verdict as soon as there is one.

``python3 - SUBJECT CASE...``, with this as its input. Each line that it writes is a document of one case
(``xentool.conformance/1``). What may break a kernel comes last. It ends early where what follows would be told of
something broken: a new process, for a guest's driver with a new guest, goes on with the rest.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Case, Risk, Verdict
from pvdrivers.conformance.level import QUICK
from pvdrivers.conformance.run import Plan, Result, run
from xentool.tools.conformance import document
from xentool.tools.conformance.session import Judged
from xentool.tools.conformance.subjects import subject

#: What a guest is none the worse for.
HARMLESS = {Verdict.PASS, Verdict.QUIRK, Verdict.UNSUPPORTED, Verdict.WITHHELD}
#: What dom0's drivers, which cannot be had anew, are the worse for.
BREAKING = {Verdict.WEDGED, Verdict.CRASHED}


class _OverError(Exception):
    # Nothing more is to be learnt of this life of a driver.
    pass


def breaks(name: str, verdict: Verdict) -> bool:
    """Tell whether a driver is not asked about other cases after one."""
    return verdict not in HARMLESS if "@" in name else verdict in BREAKING


def main(name: str, idents: Sequence[str]) -> None:
    """Judge a driver by some cases."""
    judged = subject(name)

    def told(what: Result | Case) -> None:
        if isinstance(what, Result):
            print(json.dumps(document.documents([Judged(judged.name, judged.version, [what])])), flush=True)
            if breaks(name, what.verdict):
                raise _OverError

    cases = [case for case in registry.every() if case.ident in idents]
    with suppress(_OverError):
        for some in ([case for case in cases if (case.risk is Risk.SAFE) is safe] for safe in (True, False)):
            if some:
                run(judged, some, Plan(QUICK, risky=True), told)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
