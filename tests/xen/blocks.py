"""What tests and benches of disks on real Xen use: guests that do as they are told, and our backend's process."""

import json
import textwrap

from tests.xen.labs import Lab
from xentool.lab import api

#: In dom0: starts a process, and waits for it to serve. Each look is programs, which take time from it there.
START = """
cd /tmp
# What one of this name has said before is not taken for this one's.
: >$0.err
setsid "$@" >$0.out 2>$0.err </dev/null &
echo $! >$0.pid
tries=600
until grep -q "xentool: serving" $0.err || ! kill -0 $! 2>/dev/null || [ $tries = 0 ]; do
    sleep 0.4; tries=$((tries - 1))
done
cat $0.err
"""
END = """
cd /tmp
pid=$(cat $0.pid)
kill -"$1" "$pid"
tries=600
while kill -0 "$pid" 2>/dev/null && [ $tries -gt 0 ]; do sleep 0.2; tries=$((tries - 1)); done
cat $0.out
"""


class Guest:
    """A guest whose shell does what it is sent.

    :param memory_mib: with persistent grants, each ring of 4 pages takes Linux's frontend 17 of them: 128 requests of
        33 pages
    """

    def __init__(
        self, lab: Lab, name: str, kind: str, vcpus: int, blkfront: tuple[str, ...], memory_mib: int = 512
    ) -> None:
        self.lab, self.name = lab, name
        guest = api.Guest(name, kind, vcpus, memory_mib, workload="shell", blkfront=blkfront)
        self.domid = api.guest_start(guest, lab.name)

    def run(self, script: str) -> str:
        return self.lab.tell(self.name, textwrap.dedent(script))

    def sees(self, *disks: str) -> None:
        """Wait until it has the disks: blkfront says that it is connected before Linux adds the device."""
        self.run("".join(f"while [ ! -b /dev/{disk} ]; do sleep 0.2; done\n" for disk in disks))


def start(lab: Lab, name: str, *argv: str) -> str:
    """Start a process in dom0, and give what it says once it says that it serves."""
    return lab.run("sh", "-c", START, name, *argv)


def serve(lab: Lab, *words: str, name: str = "serve") -> str:
    """Start a backend's process and give what it says once it serves."""
    return start(lab, name, "xentool", "block", "serve", "--json", *words)


def end(lab: Lab, signal: str = "TERM", *, name: str = "serve", check: bool = True) -> list[dict[str, object]]:
    """End it, and give what it says that its disks have done."""
    return [json.loads(line) for line in lab.run("sh", "-c", END, name, signal, check=check).splitlines()]
