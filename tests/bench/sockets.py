"""What the kernel's own packets between two processes come to: AF_UNIX, SEQPACKET, many a call."""

import ctypes
import os
import socket
import time

#: Packets of a call, and bytes of each.
BATCH, SIZE = 64, 64
_libc = ctypes.CDLL(None, use_errno=True)


class IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class MsgHdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.POINTER(IoVec)),
        ("iov_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class MMsgHdr(ctypes.Structure):
    _fields_ = (("header", MsgHdr), ("length", ctypes.c_uint))


class Messages:
    """Room for a batch of packets, as sendmmsg and recvmmsg take it.

    :param size: bytes of each
    """

    def __init__(self, size: int = SIZE) -> None:
        self.room = ctypes.create_string_buffer(b"x" * (BATCH * size), BATCH * size)
        self.vectors = (IoVec * BATCH)()
        self.headers = (MMsgHdr * BATCH)()
        for at in range(BATCH):
            self.vectors[at] = IoVec(ctypes.addressof(self.room) + at * size, size)
            self.headers[at].header.iov = ctypes.pointer(self.vectors[at])
            self.headers[at].header.iov_count = 1


def receive(end: socket.socket) -> None:
    """Receive packets until the other end is closed, many a call."""
    messages = Messages()
    # MSG_WAITFORONE: what is there, but one at least.
    while _libc.recvmmsg(end.fileno(), messages.headers, BATCH, 0x10000, None) > 0 and messages.headers[0].length:
        pass


def sockets(seconds: float) -> float:
    """Give the packets a second that go from one process to another through AF_UNIX's SEQPACKET."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        ours.close()
        receive(theirs)
        os._exit(0)
    theirs.close()
    began = time.perf_counter()
    with ours:
        sent = flood(ours, seconds)
        taken = time.perf_counter() - began
    os.waitpid(pid, 0)
    return sent / taken


def flood(end: socket.socket, seconds: float, size: int = SIZE) -> int:
    """Send packets for a while, many a call; give how many the kernel took.

    :raises OSError: it takes none
    """
    messages = Messages(size)
    sent, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        count = _libc.sendmmsg(end.fileno(), messages.headers, BATCH, 0)
        if count < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        sent += count
    return sent
