"""What tests on real Xen use: a lab that is up, and guests in it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from tests.xen import shells
from xentool.errors import XentoolError
from xentool.hosts import resolve
from xentool.hosts.base import checked
from xentool.lab import api, patience, record
from xentool.lab.patience import Patience
from xentool.tools import xl
from xentool.tools.channels.survey import Survey, survey
from xentool.tools.tracing.capture import LOCK

Result = TypeVar("Result")

#: What a failure's report shows of the scene: load, domains, a guest's devices, and the last words of everybody.
_SCENE = """
cat /proc/loadavg; xl list; xl vcpu-list; xentool show "$1"
for each in "dmesg" "xl dmesg" "cat /var/log/xen/console/guest-$1.log" "cat /tmp/serve.err"; do
    echo "--- $each"; $each 2>&1 | tail -n 15
done
"""

#: For tests of what does not depend on Xen's version: under emulation each takes its time.
one_xen = pytest.mark.parametrize("lab", [api.DEFAULT_XEN], indirect=True, scope="session")

#: For scenarios that are long: on what they usually run, such as "4.17 pv"; `make test-all` runs them on everything.
usually = pytest.mark.usually

#: Who holds the lock is read off, not tried: a trial would hold it for a moment, and a capture that starts be refused.
_TRACING = (
    f'inode=$(stat -c %i {LOCK} 2>/dev/null) && grep -q ":$inode 0 EOF" /proc/locks && echo locked; '
    "pgrep -x xentrace >/dev/null && echo xentrace; true"
)

#: Seconds after which a program counts as hung: a starved lab makes it slow.
HUNG = 1500
#: How often a test is begun whose guest QEMU's emulation kills (see `xentool.lab.guests`): it has shown nothing then.
_LIVES = 4
#: What xl lists of a guest that runs, or may: one that died is listed until xl has taken it down.
_RUNS = "rbp-"
#: In dom0: what xl lists of a guest, and whether it was started with a shell.
_LISTED = 'xl list "$1"; grep -sq xentool.workload=shell "/var/lib/xentool/$1.cfg" && echo shell'
#: In dom0: ends a guest, and removes its files.
_END = """
xl destroy "$1" || exit
while xl domid "$1" >/dev/null 2>&1; do sleep 0.2; done
rm -f "/var/lib/xentool/$1.img" "/var/lib/xentool/$1.cfg"
"""


def eventually(look: Callable[[], Result], seconds: float = 240) -> Result:
    """Look again until there is something true to see; what was seen last, after so long (see `Patience`)."""
    limit = Patience(seconds, *(lab.qemu_pid for lab in _labs()))
    while not (seen := look()) and not limit.over():
        time.sleep(0.5)
    return seen


def _labs() -> Iterator[record.Lab]:
    return (lab for name in record.names() if (lab := record.read(name)) is not None)


class Lab:
    """A lab that is up; guests stay from test to test, for each takes seconds to start."""

    def __init__(self, name: str, xen: str) -> None:
        self.name = name
        self.xen = xen
        self.host = f"lab:{name}"
        self._dom0 = resolve(self.host)
        (machine,) = (lab for lab in _labs() if lab.name == name)
        self._qemu, self.emulated = machine.qemu_pid, machine.accel == "tcg"
        self.hz = xl.host_info(self._dom0).hz
        self._addresses: dict[str, str] = {}
        self._shells: dict[str, Path] = {}

    def run(self, *argv: str, check: bool = True, input: bytes | None = None) -> str:
        """Run a command in dom0 and return what it prints, without the blanks around it."""
        done = patience.run(self._dom0, argv, Patience(400, self._qemu), input)
        return (checked(self.host, done) if check else done).stdout.decode(errors="replace").strip()

    def bytes_of(self, script: str) -> bytes:
        """Run a script in dom0 and return what it prints, to the byte."""
        done = patience.run(self._dom0, ("sh", "-c", script), Patience(400, self._qemu))
        return checked(self.host, done).stdout

    def guest(self, name: str, type: str = "pv", vcpus: int = 1, workload: str = "mixed") -> int:
        """Return the domid of a guest, started when it does not run yet (or runs as something else)."""
        there = None
        for running in api.guest_list(self.name):
            if (running.name, running.type, running.vcpus, running.workload) == (name, type, vcpus, workload):
                there = running.domid
            elif running.name == name or running.workload not in (None, "idle"):
                self.stop(running.name)  # two busy ones starve an emulated dom0
        return there or api.guest_start(api.Guest(name, type, vcpus, workload=workload), self.name)

    def address(self, name: str) -> str:
        """Return the address in dom0's network that a guest of this name has."""
        if name not in self._addresses:  # which is for good
            line = self.run("sh", "-c", f"grep -nxF {name} /var/lib/xentool/names | cut -d: -f1")
            self._addresses[name] = f"10.77.0.{10 + int(line)}"
        return self._addresses[name]

    def tracing(self) -> set[str]:
        """Return what of a capture there is in dom0: an ``xentrace`` that runs, ``locked`` until all is put back."""
        return set(self.run("sh", "-c", _TRACING).split())

    def survey(self) -> Survey:
        """Return all grants and event channels of this moment."""
        found = survey(self._dom0)
        # Xen 4.20 says once after it has booted that it has "switched to polling", in the midst of the line it prints.
        return survey(self._dom0) if found.unread else found

    def tell(self, name: str, script: str, *, silence: int = 300) -> str:
        """Have the shell of a guest run a script, and return what that says.

        :param silence: seconds for which the guest may say nothing
        :raises XentoolError: it died, was silent for longer, or its shell ended
        """
        if name not in self._shells:  # whose address is for good
            self._shells[name] = self._dom0.forward(f"{self.address(name)}:{shells.PORT}")
        return shells.tell(
            self._shells[name], script, lambda: Patience(silence, self._qemu), lambda: self._listed(name) is not None
        )

    def _listed(self, name: str) -> str | None:
        """Return what xl lists of a guest that runs, or may, and whether it was started with a shell."""
        said = self.run("sh", "-c", _LISTED, "sh", name, check=False)
        states = [line.split()[4] for line in said.splitlines() if line.startswith(f"{name} ")]
        return said if states and set(states[0]) <= set(_RUNS) else None

    def lives(self, name: str) -> bool:
        """Tell whether a guest runs and, when it has a shell, answers: emulation may stop a vCPU for ever."""
        said = self._listed(name)
        if said is None or not said.endswith("\nshell"):
            return said is not None
        with suppress(XentoolError, OSError):
            return self.tell(name, "echo here", silence=60) == "here"
        return False

    def outlived(self, name: str, attempt: Callable[[], None], clean: Callable[[], None] = lambda: None) -> None:
        """Make an attempt that needs a guest; anew when it failed because the guest died.

        :param clean: what is done after each attempt, once it is known whether the guest lives
        """
        for left in reversed(range(_LIVES)):
            try:
                attempt()
            except Exception as error:
                # Whatever a death makes of it: an assertion, an error of the lab, no reply.
                if not left or self.lives(name):
                    error.add_note(self.run("sh", "-c", _SCENE, "sh", name, check=False))
                    raise
            else:
                return
            finally:
                clean()

    def stop(self, name: str) -> None:
        """End a guest at once; the others leave it alone."""
        self.run("sh", "-c", _END, "sh", name)

    def away(self, name: str) -> None:
        """Have a guest gone, whether it lives or died."""
        with suppress(XentoolError):
            self.stop(name)

    def close(self) -> None:
        """End the connection, not the lab."""
        self._dom0.close()
