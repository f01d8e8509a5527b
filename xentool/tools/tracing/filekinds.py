"""What files are that are no traces of Xen or KVM, by how they begin: people give what lies beside a trace.

Law: only what no trace can begin with is taken for something else; a trace may be damaged from its first byte on.
"""

import re
from typing import NamedTuple

from traces.kvm import STREAM_MAGIC
from xentool.errors import PeerError


class FileKind(NamedTuple):
    """A kind of file: what it begins with, behind ``offset`` bytes; what it is called, and what to do with it."""

    magic: bytes
    what: str
    advice: str
    offset: int = 0


_UNPACK = "unpack it, and give the trace in it"
_LZ4 = "unpack it: lz4 -dc FILE | xentool ... -"
_PACKETS = "tcpdump and Wireshark read it"
KINDS = (
    FileKind(
        b"PAR1", "Parquet file", "xentool sql asks what xentool export wrote; else give the trace that it was made of"
    ),
    FileKind(b"ARROW1", "Arrow file", "give the trace that it was made of"),
    FileKind(b"SQLite format 3\0", "SQLite database", "give the trace that it was made of"),
    FileKind(b"\xd4\xc3\xb2\xa1", "capture of packets (pcap)", _PACKETS),
    FileKind(b"\xa1\xb2\xc3\xd4", "capture of packets (pcap)", _PACKETS),
    FileKind(b"\x4d\x3c\xb2\xa1", "capture of packets (pcap)", _PACKETS),
    FileKind(b"\xa1\xb2\x3c\x4d", "capture of packets (pcap)", _PACKETS),
    FileKind(b"\n\r\r\n", "capture of packets (pcapng)", _PACKETS),
    FileKind(b"\x7fELF", "ELF file", "that is a program, or a dump of memory, which crash and gdb read"),
    FileKind(b"KDUMP   ", "dump of memory (makedumpfile)", "crash reads it"),
    FileKind(b"makedumpfile\0\0\0\0", "dump of memory (makedumpfile)", "crash reads it"),
    FileKind(b"\xc1\x1f\xfc\xc1", "trace in CTF (LTTng, perf)", "babeltrace2 reads its folder"),
    FileKind(b"ustar", "tar archive", _UNPACK, 257),
    FileKind(b"070701", "cpio archive", _UNPACK),
    FileKind(b"070702", "cpio archive", _UNPACK),
    FileKind(b"070707", "cpio archive", _UNPACK),
    FileKind(b"PK\x03\x04", "zip archive", f"{_UNPACK}; of xentool's bundles, give the file, not a pipe"),
    FileKind(b"7z\xbc\xaf\x27\x1c", "7z archive", _UNPACK),
    FileKind(b"Rar!\x1a\x07", "rar archive", _UNPACK),
    FileKind(b"\x04\x22\x4d\x18", "file compressed by lz4", _LZ4),
    FileKind(b"\x02\x21\x4c\x18", "file compressed by lz4", _LZ4),
    FileKind(b"LZIP\x01", "file compressed by lzip", "unpack it: lzip -dc FILE | xentool ... -"),
    FileKind(b"\x1f\x9d", "file compressed by compress", "unpack it: uncompress -c FILE | xentool ... -"),
)
#: Of what has bytes of its own in between.
_SHAPES = (
    # Properties as they always are, the dictionary's size, no size told, and a range coder's first byte.
    # Ref: lzma-file-format.txt of XZ Utils
    (rb"\x5d\0\0[\0-\xff]{2}\xff{8}\0", "file compressed by lzma", "unpack it: xz -dc FILE | xentool ... -"),
    # The old binary header of a folder or a file, whose mode is the fourth word. Ref: cpio(5)
    (rb"\xc7\x71[\0-\xff]{5}[\x41\x81]", "cpio archive", _UNPACK),
)
#: Of texts, the first that is found.
_BOM = b"\xef\xbb\xbf"
_TEXTS = (
    (rb'^\s*\{\s*"schema":\s*"xentool\.capture/', "what the host said about a capture", "give the capture beside it"),
    (rb'^\s*\{\s*"schema":\s*"xentool\.', "JSON document of xentool's", "give the capture that it was made of"),
    (rb'^\{"byte_offset":', "export as JSON lines", "give the capture that it was made of"),
    (rb'^"?byte_offset"?,', "export as CSV", "give the capture that it was made of"),
    (rb"(?i)^\s*<(!doctype )?html", "page for a browser", "give the capture that it was made of"),
)
_TEXT = ("text", "xentrace writes bytes; of what xenalyze or xentrace_format printed, give the capture")
#: Less of a text may be a trace as well.
_TEXT_MIN = 16


def kind_of(head: bytes) -> tuple[str, str] | None:
    """Tell by its first bytes what a file is, and what to do with it; None if it may be a trace."""
    if head.startswith(STREAM_MAGIC):
        return None  # of KVM, which begins as a text
    for kind in KINDS:
        if head.startswith(kind.magic, kind.offset):
            return kind.what, kind.advice
    for shape, what, advice in _SHAPES:
        if re.match(shape, head):
            return what, advice
    if _is_text(head):
        found = (one for one in _TEXTS if re.search(one[0], head.removeprefix(_BOM)))
        return next(((what, advice) for _, what, advice in found), _TEXT)
    return ("Perfetto trace", "ui.perfetto.dev shows it") if _is_perfetto(head) else None


def check(head: bytes, name: str) -> None:
    """See to it that a file may be a trace.

    :param name: of the file
    :raises PeerError: it is known to be something else; the message tells what, and what to do
    """
    kind = kind_of(head)
    if kind:
        what, advice = kind
        article = "" if what.startswith(("text", "what")) else "an " if what[0] in "AEae" else "a "
        raise PeerError(f"{name} is {article}{what}: {advice}")


def _is_text(head: bytes) -> bool:
    # Characters that texts have, of any language, and colours; the last one may be cut.
    if len(head) < _TEXT_MIN or re.search(rb"[^\t\n\f\r\x1b\x20-\xff]", head):
        return False
    for cut in range(4):
        try:
            head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


def _is_perfetto(head: bytes) -> bool:
    # Two packets, one behind the other: field 1, a length, and a message that begins with one of its fields.
    # Ref: perfetto protos/perfetto/trace/trace.proto
    at = 0
    for _ in range(2):
        if head[at : at + 1] != b"\n":
            return False
        size = shift = 0
        at += 1
        while at < len(head):
            size |= (head[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not head[at - 1] & 0x80:
                break
        at += size
    return True
