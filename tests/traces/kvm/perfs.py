"""perf, asked what it makes of a perf.data of KVM."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.missing import missing

_ROW = re.compile(r"^\s+(\S+)\s+(\d+)\s+[\d.]+%\s+[\d.]+%\s+\S+us\s+\S+us\s+([\d.]+)us", re.MULTILINE)


def reasons(path: Path, event: str) -> dict[str, tuple[int, float]]:
    """Give what `perf kvm stat report` counts of a kind of events: of each reason how many, and their mean time in us.

    :param event: ``vmexit``, ``mmio`` or ``ioport``
    """
    if shutil.which("perf") is None:
        missing("perf is not installed")
    # -i goes before stat: behind it perf refuses it.
    command = ["perf", "kvm", "-i", str(path), "stat", "report", f"--event={event}"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=path.parent)
    # Where it is on no terminal it tells the one by the other.
    return {name: (int(count), float(mean)) for name, count, mean in _ROW.findall(done.stdout + done.stderr)}
