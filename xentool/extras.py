"""Libraries that only some commands need: which extra each belongs to, and the command that brings it.

That command is one that works where xentool itself came from: PyPI has no xentool whose extras could be named, Debian
lets pip change nothing of its own, and pipx keeps an environment for each program.
"""

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from traces.plain import frozen
from xentool.errors import XentoolError

#: Where Debian's packages have their modules.
_DEBIANS = Path("/usr/lib/python3/dist-packages")
#: By what an environment is known to be pipx's. Ref: pipx/pipx_metadata_file.py
_PIPX = "pipx_metadata.json"


@frozen
class Library:
    """A library.

    :param extra: of pyproject.toml
    :param requirement: as it stands there
    :param debian: the package that Debian 12 and 13 have it in, should they have it
    """

    extra: str
    requirement: str
    debian: str | None = None


LIBRARIES = {
    "bokeh": Library("fleet", "bokeh>=3.1"),
    "distributed": Library("fleet", "distributed>=2025.1"),
    "duckdb": Library("sql", "duckdb>=1.2"),
    "fsspec": Library("fleet", "fsspec>=2025.1"),
    "jinja2": Library("html", "jinja2>=3.1", "python3-jinja2"),
    # jinja2's own, which pages load first.
    "markupsafe": Library("html", "jinja2>=3.1", "python3-jinja2"),
    "libvirt": Library("libvirt", "libvirt-python>=9.0", "python3-libvirt"),
    "perfetto": Library("export", "perfetto>=0.12"),
    "pyarrow": Library("export", "pyarrow>=15"),
    "qemu.qmp": Library("lab", "qemu.qmp>=0.0.3"),
    "s3fs": Library("s3", "s3fs>=2025.1"),
    "zstandard": Library("zstd", "zstandard>=0.22", "python3-zstandard"),
}


def is_there(module: str) -> bool:
    """Say whether a library can be imported, without loading it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False  # what it is a part of is not there either


def need(module: str, what: str) -> None:
    """See to it that a library is there, before anything is done that would be in vain without it.

    :param what: needs it, as in "--html"
    :raises XentoolError: it is not; the message ends with the command that brings it
    """
    if not is_there(module):
        raise XentoolError(missing(module, what))


def missing(module: str, what: str) -> str:
    """Say that ``what`` needs a library that is not there, and the command that brings it."""
    return f"{what} needs {module}: {command(module)}"


def command(module: str, package: Path = Path(__file__).parent, prefix: Path = Path(sys.prefix)) -> str:
    """Give the command that installs a library for this program.

    :param module: as it is imported; one that is not in the table is called so by PyPI
    :param package: where xentool's modules are
    :param prefix: of the environment that it runs in
    """
    found = LIBRARIES.get(module) or Library("", module)
    wanted = shlex.quote(found.requirement)
    if package.parent == _DEBIANS:
        if found.debian:
            return f"apt install {found.debian}"
        # For this user alone, whom Debian's Python looks after as well; nothing of the system's is touched.
        return f"apt install python3-pip && pip install --user --break-system-packages {wanted}"
    if (prefix / _PIPX).exists():
        return f"pipx inject {prefix.name} {wanted}"
    python = prefix / "bin/python"
    return f"{shlex.quote(str(python if python.exists() else Path(sys.executable)))} -m pip install {wanted}"
