"""dom0's own Debian in a guest, on a disk that is only read: Python, this project, and all else that dom0 has."""

import shlex
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from tests.xen.blocks import END, START, Guest

_DISK = "xvdf"
_MOUNT = f"""
for module in $(cat /more/order); do insmod /more/$module 2>/dev/null; done
mkdir -p /debian
mount -t ext4 -o ro,noload /dev/{_DISK} /debian || echo FAILED mount
for each in dev proc sys; do mount --bind /$each /debian/$each; done
mount -t tmpfs tmpfs /debian/tmp
"""
_UNMOUNT = """
for each in dev proc sys tmp; do umount /debian/$each; done
umount /debian || echo FAILED umount
"""
_RUN = """
cat >/debian/tmp/script <<'END OF SCRIPT'
{}
END OF SCRIPT
chroot /debian env PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /tmp/script 2>&1
"""
#: What a program needs there that is a frontend, and a port of it.
_MODULES = "xen-evtchn xen-gntdev xen-gntalloc tun"


#: In the guest's own userland: Python of dom0's.
_PYTHON = """
printf '#!/bin/sh\\nexec chroot /debian /usr/bin/python3 "$@"\\n' >/bin/python3
chmod +x /bin/python3
"""


class Userland:
    """The guest as one whose userland is dom0's."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def run(self, script: str) -> str:
        """Run a script of its shell, and give what that says."""
        return self._guest.run(_RUN.format(textwrap.dedent(script)))

    def python(self, program: str, *words: str) -> str:
        """Run a program, and give what that says."""
        return self.run(f"python3 - {shlex.join(words)} <<'END OF PROGRAM'\n{program}\nEND OF PROGRAM")

    def start(self, name: str, *argv: str) -> str:
        """Start a process, and give what it says once it says that it serves."""
        return self.run(shlex.join(["sh", "-c", START, name, *argv]))

    def end(self, name: str) -> str:
        """End it, and give what it has told."""
        return self.run(shlex.join(["sh", "-c", END, name, "TERM"]))


def _bring(guest: Guest) -> None:
    lab = guest.lab
    lab.run("sync")
    disk = f"format=raw,vdev={_DISK},access=ro,script=block-xentool,target=/dev/vda"
    lab.run("xl", "block-attach", guest.name, disk)
    guest.sees(_DISK)
    assert guest.run(_MOUNT) == ""


def bring_python(guest: Guest) -> None:
    """Let a guest have dom0's Python for its own, for as long as it lives."""
    _bring(guest)
    assert guest.run(_PYTHON) == ""


@contextmanager
def userland(guest: Guest) -> Iterator[Userland]:
    """Let a guest have it as long as the context lasts, as it is now."""
    _bring(guest)
    inside = Userland(guest)
    assert inside.run(f"modprobe -a {_MODULES}") == ""
    yield inside
    assert guest.run(_UNMOUNT) == ""
    guest.lab.run("xl", "block-detach", guest.name, _DISK)
