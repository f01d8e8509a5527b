"""Writes docs/conformance.md: every case of the conformance kit, from the cases themselves.

python -m tests.docs.conformance
"""

from collections.abc import Iterator
from itertools import groupby

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import PINNED, Case, Risk, Verdict
from pvdrivers.conformance.observation import NEVER, Observation
from tests.docs.paths import ROOT
from tests.xentool.tools.conformance.mutants import MUTANTS
from tests.xentool.tools.conformance.net_back_mutants import NET_BACK_MUTANTS
from tests.xentool.tools.conformance.net_front_mutants import NET_FRONT_MUTANTS

PAGE = ROOT / "docs/conformance.md"

_HEAD = f"""\
# What PV drivers must do: the conformance kit

`xentool conformance SUBJECT...` is the other end of a device to a driver under test, and does what no driver would:

```sh
xentool conformance block-backend                       # our own backend, on a loopback, anywhere
xentool conformance block-backend --case 'BB1*' --seed 3 --junit junit.xml --html page.html
xentool conformance net-backend net-backend-process     # our vifs' backend, here and as a process
xentool conformance net-frontend                        # our vifs' frontend
xentool conformance --explain BB13                      # what a case does, why, and what may be seen
xentool conformance --list                              # all drivers that can be tested, and all cases
```

It exits with 5 where a driver failed, was wedged, crashed or leaked, with 3 where nothing could be tested. A seed gives
the order of cases, their data, and how bytes are changed under a driver's eyes; a failure prints the command that
repeats it. `--evidence DIR` keeps there, of each case that fails, the pages of rings and their indices, each node of
both ends as it stood when it had changed, the frames that went by as pcapng, and that command. `--jobs N` judges so
many drivers at once, each in a process of its own; answers and their order are the same.

## In the CI of another project

With this project checked out beside it, in `xentool`:

```sh
pip install './xentool[html]'
xentool conformance block-backend --junit junit.xml --html conformance.html
```

or, beside tests of its own, by pytest, where each case is an item:

```sh
pip install pytest ./xentool
pytest --pv-subject block-backend --pv-case 'BB1*'
```

JUnit's XML is in the one form that Jenkins and Ant's schema both take; GitLab reads it as `artifacts:reports:junit`.

## On real Xen

In a dom0, as root, the kit is the other end of that Xen's drivers:

```sh
xentool conformance blkback                             # Linux's backend, on loop devices over files of the kit's
xentool conformance netback                             # Linux's backend of vifs; their other side is its own interface
xentool conformance qdisk qnic                          # QEMU's, as a process of the kit's each
xentool conformance block-backend-xen net-frontend-xen  # ours, by gntdev and evtchn; and the other two
xentool conformance linux-block-frontend@domU --lab     # Linux's frontend, in a guest that may break
xentool conformance linux-net-frontend@domU --lab       # likewise that of vifs
xentool conformance /local/domain/0/backend/tap/5/51712 # whatever serves that device: it is given more, on new files
```

Each device that it makes carries the run's mark, and is gone when the run is over, interrupted or, by the next run,
killed; nothing else is touched. What Xen counts as mapped and bound (its debug keys `g` and `e`), and what the kernel's
log complains of, belongs to each verdict. What may crash a kernel is left out without `--lab`; `--quick` is for
emulated machines.

A guest needs a shell at its TCP port 7000 (`nc -ll -p 7000 -e /bin/sh`, with busybox's dd), and an address that
XenStore knows (`ip=` of its vif) or that is named, as in `linux-block-frontend@domU=10.0.0.7`. Never name a guest that
you need. For vifs it needs Python (3.8 or later) as well: the kit sends it a small program, which passes frames between
the interface under test and the shell's connection. [What has been found](verdicts.md).

## How it judges

- A case observes; what that is worth is judged afterwards. Where the header says nothing, everything is allowed but a
  crash, a hang, a leak, and what no driver may do (below).
- A sibling of the same driver is used before and after each case. What is not served before says nothing; a request
  that is not answered counts only while the sibling is served.
- What is in use is counted before and after: grants, mappings, ports, descriptors. On a loopback the machine
  counts exactly, on Xen its debug keys do. What is had once may be kept; what is kept each time is a leak.
- What a driver is known to do otherwise is listed in `pvdrivers/conformance/quirks.toml`, with its source.
- Quotes are from the headers of {PINNED} as Debian installs them (`/usr/include/xen/io`); a test finds them there.

| verdict | is |
|---|---|
"""
_MISTAKES = """
## Mistakes that it finds

Our own drivers are given these, one at a time (`tests/xentool/tools/conformance`); for each, the case that has to find
it, whatever the machine does, and what that sees of it. Without one, all cases pass.

| mistake | case | what is seen |
|---|---|---|
"""
_VERDICTS = {
    Verdict.PASS: "all that was seen is allowed",
    Verdict.FAIL: "something was seen that no clause allows",
    Verdict.QUIRK: "a known divergence was seen, and nothing else",
    Verdict.XPASS: "a known divergence is gone",
    Verdict.UNSUPPORTED: "the driver does not offer what the case is about",
    Verdict.INCONCLUSIVE: "nothing can be said: the case could not be carried out, or saw what nobody has listed",
    Verdict.WEDGED: "no answer, while siblings are served",
    Verdict.CRASHED: "the driver is no more, or made a mistake that it had to catch",
    Verdict.LEAK: "something did not come back",
    Verdict.WITHHELD: "not run: the driver does not stand it, and why is not published yet",
}
_RISKS = {Risk.MAY_DISABLE: "give the device up", Risk.MAY_CRASH: "crash: left out without `--lab`"}


def page() -> str:
    """Make the page."""
    lines = [f"| {verdict.value} | {said} |" for verdict, said in _VERDICTS.items()]
    lines += ["", "What no driver may do, in any case:", ""]
    lines += [f"- `{each.word}`: {each.says}" for each in Observation if each in NEVER]
    for kind, cases in groupby(registry.every(), lambda case: case.kind):
        lines += ["", f"## {kind}"]
        for case in cases:
            lines += _case(case)
    mistakes = sorted([*MUTANTS, *NET_BACK_MUTANTS, *NET_FRONT_MUTANTS], key=lambda mistake: mistake.case)
    rows = [f"| {mistake.name} | {mistake.case} | {mistake.word or 'a failure'} |" for mistake in mistakes]
    return _HEAD + "\n".join(lines) + "\n" + _MISTAKES + "\n".join(rows) + "\n"


def _case(case: Case) -> Iterator[str]:
    yield from ("", f"### {case.ident}: {case.title}", "", case.does.replace("``", "`"), "", case.why, "")
    yield f"- Justified by {case.clause}"
    yield "- May be seen: " + ", ".join(f"`{each.word}` ({each.says})" for each in case.allow)
    yield f"- Anything else is {'a failure' if case.clause.must else 'inconclusive, but for what no driver may do'}"
    if case.needs:
        yield f"- Needs {', '.join(f'`{each}`' for each in case.needs)}"
    if case.xsa:
        yield f"- {', '.join(f'XSA-{number}' for number in case.xsa)}"
    if case.risk is not Risk.SAFE:
        yield f"- A kernel that does not pass may {_RISKS[case.risk]}"


if __name__ == "__main__":
    PAGE.write_text(page())
