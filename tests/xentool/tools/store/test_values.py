"""Values as text and JSON, and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentool.tools.store.values import escaped, from_json, to_json, unescaped


@given(st.binary())
def test_escaped_is_harmless_and_can_be_read_back(value: bytes) -> None:
    text = escaped(value)
    assert text.isascii()
    assert text.isprintable()
    assert unescaped(text.encode()) == value


@given(st.none() | st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_json_is_exact(value: bytes | None) -> None:
    assert from_json(json.loads(json.dumps(to_json(value)))) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb"\t\n\r\\", b"\t\n\r\\"),
        (rb"\x4\x41b", b"\x04Ab"),
        (rb"\7\101\0019", b"\x07A\x019"),
        (rb"\777", b"\xff"),
        (rb"\q\"\xg", b'q"xg'),
        (b"\\\xff", b"\xff"),
        (b"end\\", b"end\\"),
    ],
)
def test_escapes_as_xenstore_write_takes_them(text: bytes, value: bytes) -> None:
    assert unescaped(text) == value
