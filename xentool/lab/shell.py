"""Commands and shells in a lab's dom0, on this program's own standard streams."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from xentool.hosts.labs import ssh_options
from xentool.lab import status
from xentool.lab.place import elsewhere, reached


def run(argv: Sequence[str], name: str | None = None) -> int:
    """Run a command in dom0 and return its exit status."""
    with reached(name) as place:
        host = place.host
        child = host.popen(argv, stdin=sys.stdin.fileno(), stdout=sys.stdout.fileno(), stderr=sys.stderr.fileno())
        with child:
            try:
                return child.wait()
            except BaseException:
                child.terminate()
                raise


def interact(name: str | None = None) -> int:
    """Give the user a login shell in dom0 and return its exit status."""
    if elsewhere(name) is not None:
        with reached(name) as place:
            return place.host.interact(["sh", "-c", 'exec "$SHELL" -l'])
    lab = status.running(name)
    # In the foreground of the terminal, unlike what a Host starts: the shell handles Ctrl-C itself.
    return subprocess.run(["ssh", "-q", "-t", *ssh_options(asdict(lab)), "root@127.0.0.1"], check=False).returncode
