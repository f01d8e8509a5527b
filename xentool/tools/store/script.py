r"""Several changes as lines of text, to be made in one transaction.

``write PATH VALUE``, ``mkdir PATH``, ``rm PATH`` and ``chmod PATH MODE...``, one a line. All behind the blank after
PATH is the value, escaped as `values` has it; empty lines and those that begin with ``#`` say nothing.
"""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pvdrivers.xenstore.client import View
from xentool.errors import XentoolError
from xentool.tools.store.edit import Edit, create, permit, remove, write
from xentool.tools.store.values import shown, unescaped

#: Bytes of a script: no store takes more in one transaction.
SIZE_MAX = 1 << 24


class Script(NamedTuple):
    """What a text says.

    :param paths: the nodes that it is about
    :param edit: does it all
    """

    paths: Sequence[str]
    edit: Edit


def parse(text: bytes) -> Script:
    """Read a script.

    :raises XentoolError: a line is none of those above; with its number; or there is too much
    """
    if len(text) > SIZE_MAX:
        raise XentoolError(f"changes of more than {SIZE_MAX >> 20} MiB are none that a store takes at once")
    paths: list[str] = []
    edits: list[Edit] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        word, _, rest = line.lstrip().partition(b" ")
        named, blank, arguments = rest.partition(b" ")
        made = _COMMANDS.get(word)
        path = os.fsdecode(named)
        edit = made(path, arguments if blank else None) if made and named else None
        if edit is None:
            forms = "write PATH VALUE, mkdir PATH, rm PATH or chmod PATH MODE..."
            raise XentoolError(f"line {number} is not {forms}: {shown(os.fsdecode(line[:80]))}")
        paths.append(path)
        edits.append(edit)

    def run(view: View) -> None:
        for edit in edits:
            edit(view)

    return Script(paths, run)


def _write(path: str, value: bytes | None) -> Edit | None:
    return None if value is None else lambda view: write(view, [(path, unescaped(value))])


def _mkdir(path: str, more: bytes | None) -> Edit | None:
    return None if more else lambda view: create(view, [path])


def _rm(path: str, more: bytes | None) -> Edit | None:
    return None if more else lambda view: remove(view, [path], tidy=False)


def _chmod(path: str, modes: bytes | None) -> Edit | None:
    entries = os.fsdecode(modes or b"").split()
    return (lambda view: permit(view, path, entries, above=False, below=False)) if entries else None


#: From a path, and what comes behind it (None where not even a blank does), to what is to be done, if that makes sense.
_COMMANDS: dict[bytes, Callable[[str, bytes | None], Edit | None]] = {
    b"write": _write,
    b"mkdir": _mkdir,
    b"rm": _rm,
    b"chmod": _chmod,
}
