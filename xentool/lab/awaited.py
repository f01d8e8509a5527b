"""The wait for a lab's host, for as long as it goes on."""

import socket
import time

from xentool.errors import XentoolError
from xentool.hosts import waiting
from xentool.lab import console, monitor, record, status
from xentool.lab.progress import Progress
from xentool.lab.record import Lab

#: How often a lab may be at its limit of silence and say something after all: a kernel that tells for ever that it is
#: stuck has not started.
_SILENCES = 10


def until_it_answers(lab: Lab, progress: Progress) -> None:
    """Return when its host's sshd greets.

    :raises XentoolError: it died, or says nothing any more; the message ends with the console's last lines
    """
    # The usual 20 s say nothing about a machine that does other work as well: what counts is whether it goes on.
    began = heard = time.monotonic()
    limit, told = waiting.limit(), 0
    # On a busy machine sshd greets late; whoever does not wait for that only makes it one connection busier.
    while not _sshd_answers(lab.ssh_port, max(1.0, (time.monotonic() - began) / 10)):
        now = status.of(lab)
        if now.state != record.STARTING:
            raise XentoolError(f"lab {lab.name} did not start: {status.explain(now)}")
        text = status.read_console(lab)
        at = time.monotonic()
        if len(text) != told:
            heard, told = at, len(text)
        if at - heard > limit or at - began > _SILENCES * limit:
            raise XentoolError(
                f"lab {lab.name} did not start in {at - began:.0f} s, and its console said nothing for the last "
                f"{at - heard:.0f} s (QEMU: {monitor.run_state(lab.run)}); the console's end:\n{console.ending(text)}"
            )
        progress.detail(console.stage(text, lab.under))
        time.sleep(0.2)


def _sshd_answers(port: int, seconds: float) -> bool:
    # QEMU takes connections before dom0 does: only sshd's greeting counts.
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
