"""Commands and shells in a lab's dom0, on this program's own standard streams."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from xentool.hosts.labs import ssh_options
from xentool.lab import status


def run(argv: Sequence[str], name: str | None = None) -> int:
    """Run a command in dom0 and return its exit status."""
    host = status.running(name).host()
    try:
        child = host.popen(argv, stdin=sys.stdin.fileno(), stdout=sys.stdout.fileno(), stderr=sys.stderr.fileno())
        with child:
            try:
                return child.wait()
            except BaseException:
                child.terminate()
                raise
    finally:
        host.close()


def interact(name: str | None = None) -> int:
    """Give the user a login shell in dom0 and return its exit status."""
    lab = status.running(name)
    # In the foreground of the terminal, unlike what a Host starts: the shell handles Ctrl-C itself.
    return subprocess.run(["ssh", "-q", "-t", *ssh_options(asdict(lab)), "root@127.0.0.1"], check=False).returncode
