"""What tests on real Xen use: a lab that is up, and guests in it."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from xentool.hosts import resolve
from xentool.lab import api
from xentool.tools import xl
from xentool.tools.capture import LOCK
from xentool.tools.channels.survey import Survey, survey

Result = TypeVar("Result")

#: For tests of what does not depend on Xen's version: under emulation each takes its time.
one_xen = pytest.mark.parametrize("lab", [api.DEFAULT_XEN], indirect=True, scope="session")

#: Who holds the lock is read off, not tried: a trial would hold it for a moment, and a capture that starts be refused.
_TRACING = (
    f'inode=$(stat -c %i {LOCK} 2>/dev/null) && grep -q ":$inode 0 EOF" /proc/locks && echo locked; '
    "pgrep -x xentrace >/dev/null && echo xentrace; true"
)

#: How often a test is begun whose guest QEMU's emulation kills (see `xentool.lab.guests`): it has shown nothing then.
_LIVES = 4


def eventually(look: Callable[[], Result], seconds: float = 240) -> Result:
    """Look again until there is something true to see; what was seen last, after so long."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return seen


class Lab:
    """A lab that is up; guests stay from test to test, for each takes seconds to start."""

    def __init__(self, name: str, xen: str) -> None:
        self.name = name
        self.xen = xen
        self.host = f"lab:{name}"
        self._dom0 = resolve(self.host)
        self.hz = xl.host_info(self._dom0).hz

    def run(self, *argv: str, check: bool = True, input: bytes | None = None) -> str:
        """Run a command in dom0 and return what it prints, without the blanks around it."""
        return self._dom0.run(argv, check=check, input=input, timeout=400).stdout.decode(errors="replace").strip()

    def guest(self, name: str, type: str = "pv", vcpus: int = 1, workload: str = "mixed") -> int:
        """Return the domid of a guest, started when it does not run yet (or runs as something else)."""
        for running in api.guest_list(self.name):
            if running.name != name and running.workload not in (None, "idle"):
                api.guest_stop(running.name, self.name)  # two busy ones starve an emulated dom0
        for running in api.guest_list(self.name):
            if running.name == name:
                if (running.type, running.vcpus, running.workload) == (type, vcpus, workload):
                    return running.domid
                api.guest_stop(name, self.name)
        return api.guest_start(api.Guest(name, type, vcpus, workload=workload), self.name)

    def address(self, name: str) -> str:
        """Return the address in dom0's network that a guest of this name has."""
        return f"10.77.0.{10 + int(self.run('sh', '-c', f'grep -nxF {name} /var/lib/xentool/names | cut -d: -f1'))}"

    def tracing(self) -> set[str]:
        """Return what of a capture there is in dom0: an ``xentrace`` that runs, ``locked`` until all is put back."""
        return set(self.run("sh", "-c", _TRACING).split())

    def survey(self) -> Survey:
        """Return all grants and event channels of this moment."""
        found = survey(self._dom0)
        # Xen 4.20 says once after it has booted that it has "switched to polling", in the midst of the line it prints.
        return survey(self._dom0) if found.unread else found

    def lives(self, name: str) -> bool:
        """Tell whether a guest runs, or may: one that died is listed until xl has taken it down."""
        listed = self.run("xl", "list", name, check=False).splitlines()
        return bool(listed) and set(listed[-1].split()[4]) <= set("rbp-")

    def outlived(self, name: str, attempt: Callable[[], None]) -> None:
        """Make an attempt that needs a guest; anew when it failed because the guest died."""
        for left in reversed(range(_LIVES)):
            try:
                attempt()
            except Exception:
                # Whatever a death makes of it: an assertion, an error of the lab, no reply.
                if not left or self.lives(name):
                    raise
            else:
                return

    def stop(self, name: str) -> None:
        """Stop a guest; the others leave it alone."""
        api.guest_stop(name, self.name)

    def close(self) -> None:
        """End the connection, not the lab."""
        self._dom0.close()
