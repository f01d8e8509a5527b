"""A test that hangs fails, with what all its threads do; those after it run.

Law: a test waits for events, and this is no bound of what it waits for: one that takes so long takes for ever.
"""

import faulthandler
import signal
import tempfile
from collections.abc import Generator

import pytest

#: Seconds that setting a test up, running it, and tearing it down may take, each: a starved machine is slow.
SECONDS = 900.0
#: Then, again and again: whoever cleans up may wait for what hangs as well, as `with Popen` does.
AGAIN = 60.0


def _ends(number: int, frame: object) -> None:
    del number, frame
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        stacks = file.read().decode(errors="replace")
    pytest.fail(f"it hangs; its threads:\n{stacks}")


def _watched(item: pytest.Item) -> Generator[None, object, object]:
    if item.get_closest_marker("lab"):
        # What it runs has bounds of its own, and may take long.
        return (yield)
    before = signal.signal(signal.SIGALRM, _ends)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, AGAIN)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Hung:
    """Watches each step of each test."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch it."""
        return (yield from _watched(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch it."""
        return (yield from _watched(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch it."""
        return (yield from _watched(item))
