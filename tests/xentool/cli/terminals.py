"""What a program writes on a terminal, as whoever sits before it sees it."""

import os


def said(terminal: int, words: bytes | None = None) -> bytes:
    """Read until something is said, or until nobody writes any more, which a terminal tells by an error."""
    seen = b""
    while words is None or words not in seen:
        try:
            seen += os.read(terminal, 65536)
        except OSError:
            assert words is None, seen
            break
    return seen
