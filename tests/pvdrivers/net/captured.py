"""Captures for tests: what Wireshark's programs say of them, and files that we do not write."""

import subprocess
from pathlib import Path
from struct import pack


def run(*command: str | Path) -> str:
    """Run a program that must succeed; give what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(capture: Path, *names: str) -> list[list[str]]:
    """Have tshark tell fields of each frame."""
    asked = [part for name in names for part in ("-e", name)]
    return [line.split("\t") for line in run("tshark", "-r", capture, "-T", "fields", *asked).splitlines()]


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Make a pcapng block."""
    size = pack(order + "I", 12 + len(body) + -len(body) % 4)
    return pack(order + "I", kind) + size + body + bytes(-len(body) % 4) + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """Make an option of a pcapng block."""
    return pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    """Make the beginning of a pcapng section."""
    return block(0x0A0D0D0A, pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order: str = "<", *, snaplen: int = 0, options: bytes = b"") -> bytes:
    """Make an Ethernet interface's block."""
    return block(1, pack(order + "HHI", 1, 0, snaplen) + options, order)


def enhanced(
    data: bytes, order: str = "<", *, number: int = 0, time: int = 0, size: int | None = None, options: bytes = b""
) -> bytes:
    """Make a packet's block.

    :param size: how long it claims to be
    """
    head = pack(order + "IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data) if size is None else size, len(data))
    return block(6, head + data + bytes(-len(data) % 4) + options, order)
