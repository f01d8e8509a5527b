"""Hosts by name: the file that says what each is, and which is in use.

``$XDG_CONFIG_HOME/xentool/config.toml``, by default ``~/.config/xentool/config.toml``::

    use = "xen1"

    [hosts]
    xen1 = "ssh://root@xen1"

People edit it too: a change here touches its own line alone, and what comes of it is read before it is kept.
Ref: https://specifications.freedesktop.org/basedir-spec (folders, their mode 0700), https://toml.io/en/v1.0.0
"""

import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from traces.meant import meant
from xentool.errors import XentoolError
from xentool.hosts.forms import FORMS, NAME, HostError, is_place

#: No file of hosts is longer; what is may be anything.
LONGEST = 64 << 10
_SECTION = re.compile(r"\s*\[")
_HOSTS = re.compile(r"\s*\[\s*hosts\s*\]\s*(#.*)?")
_USE = re.compile(r"\s*use\s*=")


@dataclass(frozen=True)
class Named:
    """What a file says: where each host is by its name, and the name of that in use."""

    hosts: Mapping[str, str] = field(default_factory=dict)
    used: str | None = None


def path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Give where the file is, there or not; None where the environment does not say whose it would be."""
    own, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME", "")
    # The specification has relative folders ignored.
    base = Path(own) if own.startswith("/") else Path(home, ".config") if home.startswith("/") else None
    return None if base is None else base / "xentool/config.toml"


def read(environ: Mapping[str, str] = os.environ) -> Named:
    """Read the file; without one there are no names.

    :raises XentoolError: it cannot be read, anybody may write to it, or it says something else than hosts
    """
    where = path(environ)
    return Named() if where is None else _meaning(_text(where), where)


def add(name: str, place: str, environ: Mapping[str, str] = os.environ) -> None:
    """Give a host a name.

    :param place: where it is, as --host takes it
    :raises HostError: one of the two has no known form, or the name is another host's
    """
    if NAME.fullmatch(name) is None:
        raise HostError(f"{name!r} is no name for a host: letters, digits, dots and dashes, but not `local` or `lab`")
    if not is_place(place):
        raise HostError(f"{place!r} is no place of a host, as in ssh://root@xen1 or lab:NAME")
    with _changing(environ) as (where, lines, known):
        if known.hosts.get(name, place) != place:
            raise HostError(f"{name} is {known.hosts[name]}; `xentool host remove {name}` forgets that")
        if name not in known.hosts:
            _insert(lines, f"{_key(name)} = {json.dumps(place)}")
        _keep(where, lines, replace(known, hosts={**known.hosts, name: place}))


def use(name: str | None, environ: Mapping[str, str] = os.environ) -> None:
    """Let commands that are told nothing else use a host; None: none.

    :raises HostError: no host has this name
    """
    with _changing(environ) as (where, lines, known):
        if name is not None:
            find(name, known)
        _set_used(lines, name)
        _keep(where, lines, replace(known, used=name))


def remove(name: str, environ: Mapping[str, str] = os.environ) -> None:
    """Forget a host; was it in use, none is.

    :raises HostError: no host has this name
    """
    with _changing(environ) as (where, lines, known):
        find(name, known)
        used = None if known.used == name else known.used
        if used is None:
            _set_used(lines, None)
        wanted = re.compile(rf"\s*([\"']?){re.escape(name)}\1\s*=")
        at = next((at for at, line in enumerate(lines) if wanted.match(line)), len(lines))
        del lines[at : at + 1]
        _keep(where, lines, Named({other: at for other, at in known.hosts.items() if other != name}, used))


def find(name: str, known: Named) -> str:
    """Give where the host of that name is.

    :raises HostError: there is none; the message says which is like it
    """
    if name not in known.hosts:
        raise HostError(f"no host is called {name!r}; a host is {FORMS}{meant(name, known.hosts)}")
    return known.hosts[name]


def _text(where: Path) -> str:
    try:
        # Whatever is there: opening a FIFO would wait for who writes to it.
        descriptor = os.open(where, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise XentoolError(f"cannot read {where}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise XentoolError(f"{where} is no file")
        if status.st_mode & stat.S_IWOTH:
            # Who writes there says to which host a password goes.
            raise XentoolError(f"anybody may write to {where}: `chmod o-w` it")
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise XentoolError(f"{where} is longer than {LONGEST >> 10} KiB, and no list of hosts")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise XentoolError(f"{where} is not UTF-8: {error.reason} at byte {error.start}") from error


def _meaning(text: str, where: Path) -> Named:
    if not text:
        return Named()
    import tomllib  # noqa: PLC0415 - who has named no host need not wait for it

    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise XentoolError(f"{where}: {error}") from error
    except RecursionError as error:
        raise XentoolError(f"{where} nests too deep for a list of hosts") from error
    if more := said.keys() - {"use", "hosts"}:
        raise XentoolError(f"{where}: {min(more)!r} means nothing here; there are `use` and [hosts]")
    hosts, used = said.get("hosts", {}), said.get("use")
    if not isinstance(hosts, dict):
        raise XentoolError(f"{where}: [hosts] is no table of names")
    for name, place in hosts.items():
        if NAME.fullmatch(name) is None or not isinstance(place, str) or not is_place(place):
            raise XentoolError(f'{where}: {name!r} is no host as in xen1 = "ssh://root@xen1"')
    if used is not None and (not isinstance(used, str) or used not in hosts):
        raise XentoolError(f"{where}: use = {used!r:.80} names no host of [hosts]")
    return Named(hosts, used)


@contextmanager
def _changing(environ: Mapping[str, str]) -> Iterator[tuple[Path, list[str], Named]]:
    # Gives the file, its lines and what they mean, while no other process changes it.
    where = path(environ)
    if where is None:
        raise XentoolError("neither $XDG_CONFIG_HOME nor $HOME says where hosts are kept")
    try:
        where.parent.parent.mkdir(0o700, parents=True, exist_ok=True)
        where.parent.mkdir(0o700, exist_ok=True)
        # Of a file that is a link to where somebody keeps such files, that one is changed.
        where = where.resolve()
        folder = os.open(where.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise XentoolError(f"cannot keep hosts in {where}: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        text = _text(where)
        yield where, text.splitlines(), _meaning(text, where)
    finally:
        os.close(folder)


def _insert(lines: list[str], entry: str) -> None:
    begins = next((at for at, line in enumerate(lines) if _HOSTS.fullmatch(line)), None)
    if begins is None:
        lines += [*([""] if lines else []), "[hosts]", entry]
        return
    after = next((at for at in range(begins + 1, len(lines)) if _SECTION.match(lines[at])), len(lines))
    while not lines[after - 1].strip():
        after -= 1
    lines.insert(after, entry)


def _set_used(lines: list[str], name: str | None) -> None:
    ends = next((at for at, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    lines[:ends] = [line for line in lines[:ends] if not _USE.match(line)]
    if name is not None:
        lines[:0] = [f'use = "{name}"', *([""] if lines and lines[0].strip() else [])]


def _key(name: str) -> str:
    # A dot of a bare key would make a table.
    return f'"{name}"' if "." in name else name


def _keep(where: Path, lines: list[str], wanted: Named) -> None:
    text = "".join(f"{line}\n" for line in lines)
    try:
        done = _meaning(text, where) == wanted
    except XentoolError:
        done = False
    if not done:
        raise XentoolError(f"{where} is written in a way that only its editor may change")
    part = where.with_name(f"{where.name}.part")
    try:
        mode = where.stat().st_mode & 0o777 if where.exists() else 0o600
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
        part.replace(where)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise XentoolError(f"cannot write {where}: {error.strerror}") from error
