"""Starts a lab's QEMU in the background, on a port that is free."""

import os
import socket
import subprocess
from collections.abc import Callable

from xentool.errors import XentoolError
from xentool.lab import qemu

_PORT_TRIES = 5


def launch(machine_at: Callable[[int], qemu.Machine]) -> int:
    """Start QEMU, and return the port on 127.0.0.1 that leads to dom0's sshd.

    :param machine_at: makes the machine, from that port
    :raises XentoolError: QEMU refuses
    """
    for _ in range(_PORT_TRIES):
        port = free_port()
        machine = machine_at(port)
        ended = subprocess.run(
            qemu.command(machine),
            cwd=machine.run,
            env={**os.environ, "TMPDIR": str(machine.run)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
            start_new_session=True,  # Ctrl-C is for this program, which then ends QEMU in order
        )
        if ended.returncode == 0:
            return port
        reason = ended.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        # Somebody took the port between the look and QEMU's use of it.
        if "host forwarding" not in reason[-1]:
            break
    raise XentoolError(f"QEMU did not start lab {machine.name}: {reason[-1].removeprefix('qemu-system-x86_64: ')}")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
