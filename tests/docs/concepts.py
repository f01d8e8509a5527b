"""What docs/concepts.md shows of commands: each block's command with its output, and the bar that is drawn of one.

python -m tests.docs.concepts
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.docs.paths import ROOT

PAGE = ROOT / "docs/concepts.md"
#: What the page calls the captures that it is about, and where they are.
CAPTURES = {
    "domU.xentrace": "xen-4.17-pv1.xentrace.xz",
    "other.xentrace": "xen-4.17-pvh.xentrace.xz",
    "shadow.dat": "kvm/linux-6.1-shadow.dat.xz",
    "emulated.dat": "kvm/linux-6.1-emulated.dat.xz",
}
#: Lines that are left out.
OMITTED = "..."
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_BAR = re.compile(r"^```\n(root .*?)^```$", re.DOTALL | re.MULTILINE)
_EVENT = re.compile(r"~?(\d+\.\d+)  p\d+  d\d+v\d+ +(exit|hvm_vmentry)\b")
#: Of a bar: columns, and microseconds that each stands for.
COLUMNS, EACH_US = 80, 5


class Shown(NamedTuple):
    """A command as the page shows it, and the lines of its output in pieces between those left out."""

    command: str
    output: list[str]

    def missing(self, written: str) -> list[str]:
        """Give the lines that the output has not, or not where they stand."""
        lines = [line.rstrip() for line in written.splitlines()]
        at, loose, missing = 0, False, []
        for line in self.output:
            if line == OMITTED:
                loose = True
            elif loose and line in lines[at:]:
                at, loose = lines.index(line, at) + 1, False
            elif not loose and lines[at : at + 1] == [line]:
                at += 1
            else:
                missing.append(line)
        return missing + (lines[at:] if not loose else [])


def shown() -> Iterator[Shown]:
    """Give all of the page's blocks."""
    for block in _BLOCK.findall(PAGE.read_text()):
        command, *output = block.splitlines()
        yield Shown(command.removeprefix("$ "), [line.rstrip() for line in output])


def drawn() -> str:
    """Give the bar that the page has."""
    (found,) = _BAR.findall(PAGE.read_text())
    return str(found)


def bar(lines: Sequence[str], first_s: float) -> str:
    """Draw which mode a vCPU was in: root from an exit until the next entry; what came before is in the guest."""
    found = [_EVENT.search(line) for line in lines]
    events = [(float(one[1]), one[2]) for one in found if one]
    modes = []
    for column in range(COLUMNS):
        middle = first_s + (column + 0.5) * EACH_US * 1e-6
        before = [what for at, what in events if at <= middle]
        modes.append(bool(before) and before[-1] == "exit")
    root = "".join("█" if mode else " " for mode in modes)
    guest = "".join(" " if mode else "█" for mode in modes)
    return f"root     {root}".rstrip() + "\n" + f"non-root {guest}".rstrip() + "\n"


if __name__ == "__main__":
    for one in shown():
        if "other.xentrace" in one.command and "-e exit,hypercall" in one.command:
            print(bar(one.output, 0.3011))
