"""What hypervisors, their hosts and guests wrote to their consoles."""

import subprocess
import time
from collections.abc import Iterator

from xentool.errors import XentoolError
from xentool.lab import places, process, qemu, status
from xentool.lab.place import reached

_POLL_S = 0.2


def console(name: str | None = None, *, follow: bool = False) -> Iterator[bytes]:
    """Yield what is in a lab's console file, also when the lab has ended.

    :param follow: go on with what is added, until the lab's QEMU ends
    :raises XentoolError: there was never such a lab
    """
    name = status.default_name() if name is None else name
    run = places.run_folder(name)
    path = run / qemu.CONSOLE
    if not path.is_file():
        raise XentoolError(f"lab {name} has no console file: it was never started")
    with path.open("rb") as file:
        while True:
            # Looked at before the read, so that nothing is missed which was written in between.
            alive = process.find(run) is not None
            if chunk := file.read(1 << 16):
                yield chunk
            elif follow and alive:
                time.sleep(_POLL_S)
            else:
                return


def guest_console(guest: str, name: str | None = None, *, follow: bool = False) -> Iterator[bytes]:
    """Yield what a guest wrote to its console, all its starts in a row.

    :raises XentoolError: no guest of that name was ever started
    """
    with reached(name) as place:
        host, path = place.host, place.hypervisor.console(places.checked_name(guest, "guest"))
        if host.run(["test", "-f", path], check=False).returncode != 0:
            raise XentoolError(f"no guest {guest} was ever started; `xentool lab guest list` shows the running ones")
        words = ["tail", "-n", "+1", *(["-F"] if follow else []), path]
        tail = host.popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with tail:
            assert tail.stdout is not None  # noqa: S101 - PIPE above
            try:
                while chunk := tail.stdout.read(1 << 16):
                    yield chunk
            finally:
                tail.terminate()
