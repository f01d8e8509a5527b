"""A guest that waits until it is told to work, and says on its console where it is."""

import re
import time
from collections.abc import Sequence

from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.lab.patience import Patience

#: Where a guest with the workload ``shell`` takes scripts.
_PORT = 7000
#: A line of the log that a PV guest's early console repeats begins with "(early)".
_BEGIN = re.compile(r"^(?!\(early\)).*xentool-phase begin ([a-z-]+) (\d+)", re.MULTILINE)
_DONE = re.compile(r"xentool-phase done")
#: How often its console is looked at, in seconds: each look takes processor time of its host.
_LOOK = 2.0
#: For how long a work may say nothing on a machine that does nothing else, in seconds.
_SILENCE = 300.0

Works = Sequence[tuple[str, int]]


def size(host: Host, console: str) -> int:
    """Return how many bytes a guest has written so far."""
    return int(host.run(["stat", "-c", "%s", console]).stdout)


def begin(host: Host, address: str, disk: str, repeats: int, works: Works) -> None:
    """Tell a guest to work; return at once.

    :param disk: its disk's device
    """
    words = " ".join(f"{name}:{requests}" for name, requests in works)
    # Apart from the shell that is told: that one's connection ends before the work begins.
    script = f"setsid work {disk} {repeats} {words} </dev/null >/dev/null 2>&1 &\n"
    host.run(["busybox", "nc", address, str(_PORT)], input=script.encode())


def finished(host: Host, console: str, since: int, qemu: int) -> list[tuple[str, int]]:
    """Wait until a guest has done its work; return its phases in order, as it marked them.

    :param console: the file in which its host keeps its console
    :param since: bytes of it that are older
    :param qemu: the lab's process, see ``Patience``
    :raises XentoolError: it was silent for too long
    """
    text, limit = "", Patience(_SILENCE, qemu)
    while not _DONE.search(text):
        if limit.over():
            passed = f"{limit.passed:.0f} s"
            raise XentoolError(
                f"the guest did not go on with its work for {passed}; the end of its console:\n{_end(text)}"
            )
        time.sleep(_LOOK)
        new = host.run(["tail", "-c", f"+{since + 1}", console]).stdout.decode(errors="replace")
        if len(new) != len(text):
            text, limit = new, Patience(_SILENCE, qemu)
    return [(name, int(requests)) for name, requests in _BEGIN.findall(text)]


def _end(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.replace("\r", "").splitlines()[-8:])
