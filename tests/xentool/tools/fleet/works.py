"""What workers do in tests: they find it by this module's name."""

import os
import signal
import sys
from pathlib import Path

from distributed import get_worker


def doubled(number: int) -> int:
    return 2 * number


def process(_item: object) -> int:
    return os.getpid()


def named(_item: object) -> str:
    """Name the task."""
    return str(get_worker().get_current_task())


def troubled(item: str) -> str:
    """Do what the item says: end, be killed (once, if its file is not there yet), fail, or be well."""
    what, _, path = item.partition(":")
    if what == "exit":
        sys.exit(7)
    if what == "fail":
        raise RuntimeError("it is broken\nand more")
    if what == "killed" or (what == "killed once" and not Path(path).exists()):
        if path:
            Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{what} done"
