"""What tests and benches of disks on real Xen use: guests that do as they are told, and our backend's process."""

import json
import textwrap

from tests.xen.labs import Lab
from xentool.lab import api

#: In dom0: sends a script to the shell at a guest's port, and prints what that says.
SEND = """
import socket, sys
with socket.create_connection((sys.argv[1], 7000), 60) as guest:
    guest.settimeout(300)
    guest.sendall(sys.stdin.buffer.read() + b"\\nexit\\n")
    while some := guest.recv(65536):
        sys.stdout.buffer.write(some)
"""
START = """
cd /tmp
# What one of this name has said before is not taken for this one's.
: >$0.err
setsid "$@" >$0.out 2>$0.err </dev/null &
echo $! >$0.pid
tries=600
until grep -q "xentool: serving" $0.err || ! kill -0 "$(cat $0.pid)" 2>/dev/null || [ $tries = 0 ]; do
    sleep 0.2; tries=$((tries - 1))
done
cat $0.err
"""
END = """
cd /tmp
kill -"$1" "$(cat $0.pid)"
tries=600
while kill -0 "$(cat $0.pid)" 2>/dev/null && [ $tries -gt 0 ]; do sleep 0.2; tries=$((tries - 1)); done
cat $0.out
"""


class Guest:
    """A guest whose shell does what it is sent."""

    def __init__(self, lab: Lab, name: str, kind: str, vcpus: int, blkfront: tuple[str, ...]) -> None:
        self.lab, self.name = lab, name
        # With persistent grants, each ring of 16 pages takes Linux's frontend 66 MiB: 512 requests of 33 pages.
        guest = api.Guest(name, kind, vcpus, 1280, workload="shell", blkfront=blkfront)
        self.domid = api.guest_start(guest, lab.name)
        self.address = lab.address(name)

    def run(self, script: str) -> str:
        return self.lab.run("python3", "-c", SEND, self.address, input=textwrap.dedent(script).encode())

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
