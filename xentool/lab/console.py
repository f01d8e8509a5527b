"""Reads a lab's console: how far the start is, and why it died. Pure."""

import re

from xentool.lab import hypervisors, logged
from xentool.lab.hypervisors import Hypervisor

# First match wins: the cause comes before what follows from it. A line that is not whole yet says half of its reason.
_DEATHS = (
    (re.compile(r"xentool-lab: FAILED: (.+)\n"), "{host} did not start: {}"),
    (re.compile(r"\(XEN\) (?:\[[^]]*\] )?Panic on CPU (\d+)"), "Xen panicked on CPU {}"),
    (re.compile(r"Kernel panic - not syncing: (.+)\n"), "{host}'s kernel panicked: {}"),
    (re.compile(r"\(XEN\) .*Hardware Dom0 (crashed|halted|shutdown)"), "dom0 {}"),
    (re.compile(r"reboot: (Power down|Restarting system)"), "{host} shut itself down ({})"),
)
_STAGE = re.compile(r"^xentool-lab: (.+)$", re.MULTILINE)


def death(text: str, under: Hypervisor = hypervisors.XEN) -> str | None:
    """Return why the hypervisor or its host died, None when the console tells of no death."""
    for pattern, message in _DEATHS:
        if match := pattern.search(text):
            return message.format(match[1].strip(), host=under.host)
    return None


def stage(text: str, under: Hypervisor = hypervisors.XEN) -> str:
    """Return how far the start is, in a few words."""
    stages = _STAGE.findall(text)
    if stages:
        return f"{under.host}: {stages[-1].strip()}"
    if under is not hypervisors.XEN:
        return "Linux starts"
    return "Xen starts" if "(XEN)" not in text else "Xen started dom0"


def ending(text: str) -> str:
    """Return the last lines, indented for a message."""
    # The console ends lines with CR LF.
    return logged.indented(text.replace("\r", "").encode())
