"""A machine's events recorded live: an instance of the host's tracefs, its pages here while they are made.

The host's side is capture.sh, sent over the connection; nothing is installed there.
"""

import math
from importlib.resources import files

from xentool.hosts import Host
from xentool.tools.tracing.remote import Gate, Remote
from xentool.tools.tracing.tracefs import status
from xentool.tools.tracing.tracefs.status import Began, Ended, Over, Ready, Refused, Started

#: As many as a kernel gives a new instance.
BUFFER_KIB = 1408


class Recorder(Remote):
    """A running recording as a context manager; leaving it removes its instance, with or without an exception.

    What ``chunks`` gives together is a stream, see ``traces.kvm.stream``.

    :param pid: of the machine's process
    :param buffer_kib: KiB of buffer per processor
    :param seconds: end by itself after so long, by the host's clock; None for no limit
    :param gate: see `Remote`; by then the instance is there
    :raises Unavailable: the host cannot be reached, has no events of KVM, or (from `chunks`) went away
    :raises XentoolError: the host cannot trace, or (from `chunks`) the recording ended by itself
    """

    def __init__(
        self,
        host: Host,
        pid: int,
        *,
        buffer_kib: int = BUFFER_KIB,
        seconds: float | None = None,
        gate: Gate | None = None,
    ) -> None:
        super().__init__(host, gate)
        #: By the host's clock; known when it has ended in order.
        self.began: Began | None = None
        self.over: Over | None = None
        #: Whether it ended because the machine did.
        self.machine_ended = False
        self._pid, self._buffer_kib, self._seconds = pid, buffer_kib, seconds

    def _words(self) -> list[str]:
        script = files(__package__).joinpath("capture.sh").read_text()
        hundredths = 0 if self._seconds is None else math.ceil(self._seconds * 100)
        # Not through its standard input: dash reads more of that than it needs, and so what comes behind the script.
        words = ["sh", "-c", script, "sh", str(self._pid), str(hundredths), str(self._buffer_kib)]
        return words if self._gate is None else [*words, "gate"]

    def _await_start(self) -> None:
        refused: Refused | None = None
        messages: list[str] = []
        for line in self._lines():
            match told := status.parse(line):
                case Ready():
                    self._pass()
                case Started():
                    self._begun(self._seconds)
                    return
                case Refused():
                    refused = told
                case None:
                    messages.append(line)
        raise status.start_error(self.host.name, refused, messages)

    def _finish(self) -> None:
        ended: Ended | None = None
        messages: list[str] = []
        for line in self._lines():
            match told := status.parse(line):
                case Began():
                    self.began = told
                case Over():
                    self.over = told
                case Ended():
                    ended = told
                case None:
                    messages.append(line)
        error = status.end_error(self.host.name, ended, messages)
        if error is not None:
            raise error
        self.machine_ended = ended is not None and ended.client == "over"
