"""Bytes that are changed so many times, and sound in the end."""

from array import array

import pytest

from pvdrivers.conformance.flips import flip


def test_bytes_end_as_they_were() -> None:
    memory = memoryview(bytearray(b"\x07" * 16))
    flip(memory, array("I", [1, 5]), 0, 255, 1001, 3)
    assert bytes(memory) == bytes([7, 0, 7, 7, 7, 0] + [7] * 10)


def test_what_is_beyond_is_not_touched() -> None:
    memory = memoryview(bytearray(16))
    with pytest.raises(ValueError, match="byte 16 is not within 16"):
        flip(memory, array("I", [0, 16]), 0, 255, 10, 3)
    assert bytes(memory) == bytes(16)
