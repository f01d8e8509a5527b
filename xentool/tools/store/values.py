r"""Values as text and back: as xenstore-ls and xenstore-read show them, and as JSON documents hold them.

A value is any bytes. Escaped, printable ASCII stands for itself, and all else is ``\t \n \r \\``, ``\001`` (below 8)
or ``\x1b``; so no value can reach a terminal with control characters, and none is ambiguous.

Ref: tools/xs-clients/xenstore_client.c, sanitise_value() and unsanitise_value()
"""

import base64
import binascii
import re
from typing import Any

_NAMED = {ord("\t"): r"\t", ord("\n"): r"\n", ord("\r"): r"\r", ord("\\"): r"\\"}
_ESCAPED = [
    _NAMED.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}" if byte < 8 else f"\\x{byte:02x}")
    for byte in range(256)
]
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_MEANT = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def escaped(value: bytes) -> str:
    """Write a value as printable ASCII."""
    return "".join(map(_ESCAPED.__getitem__, value))


def quoted(value: bytes | None) -> str:
    """Write a value in quotation marks: one of its own, which would seem to end it, is escaped as well.

    :param value: None for what may not be read
    """
    return "(may not be read)" if value is None else '"{}"'.format(escaped(value).replace('"', r"\""))


def shown(text: str) -> str:
    """Write a path or permission harmlessly: stores let only plain characters into them, files may hold any."""
    return escaped(text.encode("utf-8", "surrogatepass"))


def unescaped(text: bytes) -> bytes:
    """Read what `escaped` wrote; as in xenstore-write, a backslash before any other character is left out."""
    return _ESCAPE.sub(_meant, text)


def _meant(escape: re.Match[bytes]) -> bytes:
    hexadecimal, octal, other = escape.groups()
    if other is not None:
        return _MEANT.get(other, other)
    return bytes([int(hexadecimal, 16) if hexadecimal else int(octal, 8) & 0xFF])


def to_json(value: bytes | None, key: str = "value") -> dict[str, str | None]:
    """Give a value as members of a JSON object: under ``key`` as text, or base64 under ``key_base64`` when it is none.

    :param value: None, for what nobody could read, becomes null
    """
    if value is None:
        return {key: None}
    try:
        return {key: value.decode()}
    except UnicodeDecodeError:
        return {f"{key}_base64": base64.b64encode(value).decode()}


def from_json(members: dict[str, Any], key: str = "value") -> bytes | None:
    """Read what `to_json` wrote.

    :raises ValueError: that is something else
    """
    encoded = members.get(f"{key}_base64")
    try:
        value = base64.b64decode(encoded, validate=True) if encoded is not None else members[key]
    except (TypeError, KeyError, binascii.Error) as error:
        raise ValueError(f"no {key}") from error
    if value is None or isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value.encode()
