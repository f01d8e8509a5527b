"""SIGTERM, Ctrl-C, and a terminal that is closed, for what serves until then."""

import signal
import threading


class Ending:
    """Notes the first of these signals from when it is made on, in place of what they did before."""

    def __init__(self) -> None:
        self._number: signal.Signals | None = None
        self._came = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # What nohup has started outlives its terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._end)

    def wait(self, seconds: float) -> bool:
        """Wait so long for one; say whether it came."""
        return self._came.wait(seconds)

    @property
    def interrupted(self) -> bool:
        """Whether the last one was Ctrl-C's."""
        return self._number == signal.SIGINT

    def _end(self, number: int, _: object) -> None:
        self._number = signal.Signals(number)
        self._came.set()
