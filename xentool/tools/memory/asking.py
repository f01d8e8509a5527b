"""A program that runs on a host meanwhile, sent there as text, and is asked: by lines of words, answered by bytes."""

import contextlib
import os
import select
import struct
import subprocess
from collections.abc import Callable, Iterator
from importlib.resources import files

from xentool.errors import PeerError, Unavailable, XentoolError
from xentool.hosts import Host, waiting
from xentool.hosts.base import last_line
from xentool.tools.memory.paging import PAGE_BYTES

#: Frames that are asked for by one question; no answer is longer than these.
FEW = 64
_LONGEST = FEW * (PAGE_BYTES + 1)
_PARTING_S = 10

#: Answers a verb with numbers by bytes; raises `Refused`.
Ask = Callable[..., bytes]


class Refused(XentoolError):
    """The question was refused; `number` is an errno."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


@contextlib.contextmanager
def asked(host: Host, program: str) -> Iterator[Ask]:
    """Start a program, for as long as it is asked.

    :param program: its file, beside this one
    :raises Unavailable: the host cannot be reached, or the program has nothing there to ask
    """
    script = files(__package__).joinpath(program).read_text()
    pipe = subprocess.PIPE
    process = host.popen(["python3", "-c", script], stdin=pipe, stdout=pipe, stderr=pipe)
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise XentoolError("the host gave no pipes")
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr

    def ask(verb: str, *numbers: int) -> bytes:
        with contextlib.suppress(BrokenPipeError):  # its last words say why it ended
            stdin.write(" ".join((verb, *map(str, numbers))).encode() + b"\n")
        number, length = struct.unpack("<II", read(8))
        if length > _LONGEST:
            raise PeerError(f"{host.name} answers by {length} bytes, where {_LONGEST} are the most")
        told = read(length)
        if number:
            raise Refused(number)
        return told

    def read(length: int) -> bytes:
        found = b""
        limit = waiting.limit()
        while len(found) < length:
            ready, _, _ = select.select([stdout], [], [], None if limit == waiting.FOREVER else limit)
            if not ready:
                raise XentoolError(f"{host.name} did not tell of its memory within {limit:g} s")
            if not (some := os.read(stdout.fileno(), length - len(found))):
                reason = last_line(stderr.read()) or "it gave no reason"
                raise Unavailable(f"{host.name} does not let its guests' memory be looked at: {reason}")
            found += some
        return found

    try:
        with waiting.shown(f"the program that reads memory on {host.name}"):
            ask("ready")
        yield ask
    finally:
        for stream in (stdin, stdout, stderr):
            stream.close()
        try:
            process.wait(_PARTING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
