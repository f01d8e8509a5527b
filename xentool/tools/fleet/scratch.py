"""A folder for what Dask's processes write down, which is gone after them however they end."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

#: Whoever holds the other end of its input has ended, in whatever way, when that ends.
_REMOVE = 'read -r _; rm -rf -- "$1"'


@contextmanager
def scratch() -> Iterator[str]:
    """Give the path of a new folder.

    A process of its own removes it: one that is killed does not clean up, and its workers end at once after it.
    """
    folder = tempfile.mkdtemp(prefix="xentool-fleet-")
    # In a session of its own, so that it does not hear of Ctrl-C.
    with subprocess.Popen(
        ["sh", "-c", _REMOVE, "sh", folder], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    ):
        yield folder
