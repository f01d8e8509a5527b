"""Ends of a load that look on at their rings all the time, instead of sleeping: what events cost is the difference.

``python -m tests.bench.polling LOAD`` is the far one, as `xentool.tools.net.far` is otherwise.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from pvdrivers.ring import look
from xentool.tools.net import far

#: Microseconds: longer than any round trip.
ALWAYS = 10_000


@contextmanager
def polling() -> Iterator[None]:
    """Let both ends of loads that are measured here do so."""
    with patch.object(look, "LOOK", ALWAYS), patch.object(far, "__name__", "tests.bench.polling"):
        yield


if __name__ == "__main__":
    with patch.object(look, "LOOK", ALWAYS):
        far.run(sys.argv[1])
