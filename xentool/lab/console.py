"""Reads a lab's console: how far the start is, and why it died. Pure."""

import re

from xentool.lab import logged

# First match wins: the cause comes before what follows from it. A line that is not whole yet says half of its reason.
_DEATHS = (
    (re.compile(r"xentool-lab: FAILED: (.+)\n"), "dom0 did not start: {}"),
    (re.compile(r"\(XEN\) (?:\[[^]]*\] )?Panic on CPU (\d+)"), "Xen panicked on CPU {}"),
    (re.compile(r"Kernel panic - not syncing: (.+)\n"), "dom0's kernel panicked: {}"),
    (re.compile(r"\(XEN\) .*Hardware Dom0 (crashed|halted|shutdown)"), "dom0 {}"),
    (re.compile(r"reboot: (Power down|Restarting system)"), "dom0 shut itself down ({})"),
)
_STAGE = re.compile(r"^xentool-lab: (.+)$", re.MULTILINE)


def death(text: str) -> str | None:
    """Return why Xen or dom0 died, None when the console tells of no death."""
    for pattern, message in _DEATHS:
        if match := pattern.search(text):
            return message.format(match[1].strip())
    return None


def stage(text: str) -> str:
    """Return how far the start is, in a few words."""
    stages = _STAGE.findall(text)
    if stages:
        return f"dom0: {stages[-1].strip()}"
    return "Xen starts" if "(XEN)" not in text else "Xen started dom0"


def ending(text: str) -> str:
    """Return the last lines, indented for a message."""
    # The console ends lines with CR LF.
    return logged.indented(text.replace("\r", "").encode())
