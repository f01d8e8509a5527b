"""What servers say of what goes wrong in their loops."""

import asyncio
import errno
import os

from pvdrivers.complaints import Complaints


def test_a_line_each_and_each_once() -> None:
    lines: list[str] = []
    complaints = Complaints(lines.append)
    loop = asyncio.new_event_loop()
    for number in (errno.EMFILE, errno.EMFILE, errno.ENFILE):
        error = OSError(number, os.strerror(number))
        complaints(loop, {"message": "socket.accept() out of system resource", "exception": error})
    complaints(loop, {"message": "odd"})
    complaints(loop, {"message": "odd", "exception": ValueError("what was odd")})
    for number in range(1000):
        complaints(loop, {"message": f"and {number}"})
    loop.close()
    assert lines[:4] == [
        "no room for another connection: Too many open files; those who connect wait",
        "no room for another connection: Too many open files in system; those who connect wait",
        "odd",
        "what was odd",
    ]
    assert len(lines) == 100
