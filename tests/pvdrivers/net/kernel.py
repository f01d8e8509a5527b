"""The kernel as an oracle: what it makes of frames that are to be cut or finished, on their way to who can do neither.

Run as a program in a network namespace of its own: it makes a TAP without offloads, sends over it by a packet socket,
which takes a virtio_net_hdr, and reads what comes out. Frames stand in lines of hexadecimal digits.
"""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
from pathlib import Path

from pvdrivers.abi.virtio_net import HDR

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
#: Who sends, as the kernel may have something to say itself.
_SOURCE = slice(6, 12)
#: What hangs is ended after it, in seconds.
_LIMIT = 30


def unavailable() -> str:
    """Say why there is no such oracle here; nothing if there is."""
    made = subprocess.run([*_alone(), "test", "-w", "/dev/net/tun"], capture_output=True, text=True, check=False)
    return "" if made.returncode == 0 else made.stderr.strip() or "no /dev/net/tun"


def sent(header: bytes, frame: bytes) -> list[bytes]:
    """Send a frame; give what comes out."""
    command = [*_alone(), sys.executable, "-m", "tests.pvdrivers.net.kernel"]
    tree = Path(__file__).parents[3]
    given = (header + frame).hex()
    out = subprocess.run(command, input=given, capture_output=True, text=True, check=True, cwd=tree, timeout=300)
    return [bytes.fromhex(line) for line in out.stdout.splitlines()]


def _alone() -> list[str]:
    return ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]


def _main() -> None:
    given = bytes.fromhex(sys.stdin.read())
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", b"t0", _IFF_TAP | _IFF_NO_PI))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
        fcntl.ioctl(line, _SIOCSIFFLAGS, struct.pack("16sH22x", b"t0", _IFF_UP))
        line.bind(("t0", 0))
        line.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        line.send(given)
        # What is sent after it comes out after it.
        last = given[HDR.size :][:12] + b"\x88\xb5" + bytes(50)
        line.send(bytes(HDR.size) + last)
        while select.select([tap], [], [], _LIMIT)[0]:
            frame = os.read(tap, 1 << 17)
            if frame == last:
                return
            if frame[_SOURCE] == last[_SOURCE]:
                sys.stdout.write(frame.hex() + "\n")
    raise TimeoutError


if __name__ == "__main__":
    _main()
