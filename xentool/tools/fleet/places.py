"""Where captures lie: files, folders, patterns and URLs → each file, with what tells whether it has changed."""

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from traces.plain import frozen
from xentool.errors import XentoolError
from xentool.tools.fleet.patient import LIMIT_S, file_system, within
from xentool.tools.tracing.kvm import DEVICES
from xentool.tools.tracing.sidecar import SUFFIX

#: What lies beside captures.
_BESIDE = (SUFFIX, DEVICES, ".phases.json")
_LOCAL = "file://"
#: Whose paths at fsspec lack the host.
_HOSTED = ("ssh", "sftp", "ftp", "smb", "webhdfs", "hdfs")


@frozen
class Place:
    """A file that may be a capture.

    :param url: as people give it
    :param size: in bytes; 0 where nobody tells
    :param stamp: changes with what is in it, or beside it
    :param searched: it was found in a folder, and may be anything
    """

    url: str
    size: int
    stamp: str
    searched: bool

    @property
    def fields(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        return {name: getattr(self, name) for name in Place.__match_args__}


def is_url(text: str) -> bool:
    """Say whether it is for fsspec."""
    return "://" in text and not text.startswith(_LOCAL)


def find(wanted: Iterable[str], limit_s: float = LIMIT_S) -> Iterator[Place | tuple[str, str]]:
    """Find the files of paths, patterns and URLs, each once; folders are searched.

    :returns: of what cannot be found, its name and why
    """
    seen: set[int] = set()
    for each in wanted:
        try:
            for place in _of_url(each, limit_s) if is_url(each) else _of_path(each.removeprefix(_LOCAL)):
                # A number is kept of each, not the name.
                if (known := hash(place.url)) not in seen:
                    seen.add(known)
                    yield place
        except XentoolError as error:
            yield each, str(error)
        except Exception as error:  # noqa: BLE001 - each store has its own
            yield each, told(error)


def told(error: BaseException) -> str:
    """Say in one line what is wrong."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"  # where a store has only its name to say
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text.strip() else type(error).__name__


def _of_path(path: str) -> Iterator[Place]:
    if os.path.lexists(path) or not glob.has_magic(path):
        found = [path]
    else:
        found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - names stay as they were said
        if not found:
            raise XentoolError("no file has such a name")
    for each in found:
        if not Path(each).is_dir():
            yield _place(each, searched=len(found) > 1)
            continue
        for folder, below, names in os.walk(each):
            below.sort()
            below[:] = [name for name in below if not name.startswith(".")]
            for name in sorted(names):
                file = os.path.join(folder, name)  # noqa: PTH118 - as they are said, "./" included
                if not name.startswith(".") and not name.endswith(_BESIDE) and stat.S_ISREG(_mode(file)):
                    yield _place(file, searched=True)


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - see above
    except OSError:
        return 0


def _place(path: str, *, searched: bool) -> Place:
    status = os.stat(path)  # noqa: PTH116 - see above
    if not stat.S_ISREG(status.st_mode):
        raise XentoolError("it is no file")
    try:
        beside = os.stat(path + SUFFIX)  # noqa: PTH116 - see above
        more = f" {beside.st_size} {beside.st_mtime_ns}"
    except OSError:
        more = ""
    return Place(path, status.st_size, f"{status.st_size} {status.st_mtime_ns}{more}", searched)


def _of_url(url: str, limit_s: float) -> Iterator[Place]:
    fs, path = within(url, lambda: file_system(url), limit_s)

    def listed() -> tuple[dict[str, Any], bool]:
        # What is there as it is called is no pattern.
        if not glob.has_magic(path) or fs.exists(path):
            about = fs.info(path)
            # Web servers know no folders: they list files under such a name.
            if about["type"] != "directory" and not url.endswith("/"):
                return {path: about}, False
            return fs.find(path, detail=True), True
        return {name: about for name, about in fs.glob(path, detail=True).items() if about["type"] == "file"}, True

    found, searched = within(url, listed, limit_s)
    if not found:
        raise XentoolError("there is no file")
    for name, about in sorted(found.items()):
        base = name.rpartition("/")[2]
        if searched and (base.startswith(".") or base.endswith(_BESIDE)):
            continue
        stamps = [_stamp(about), _stamp(found.get(name + SUFFIX))]
        yield Place(_full(fs, name, url), about.get("size") or 0, " ".join(stamps), searched)


def _full(fs: Any, name: str, url: str) -> str:  # noqa: ANN401 - fsspec's
    if "://" in name:
        return name
    protocol, _, rest = url.partition("://")
    if protocol in _HOSTED:
        return f"{protocol}://{rest.partition('/')[0]}/{name.lstrip('/')}"
    return str(fs.unstrip_protocol(name))


def _stamp(about: dict[str, Any] | None) -> str:
    told_by = ("ETag", "etag", "mtime", "LastModified", "last_modified", "size")
    return ",".join(str(about[name]) for name in told_by if about.get(name) is not None) if about else ""
