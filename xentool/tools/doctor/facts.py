"""What a host's own files and programs say of it, told by a script that changes nothing there."""

from importlib.resources import files
from pathlib import Path

from xentool.hosts import Host

#: A host is believed so many facts; a key comes again where there are several.
_FACTS_MAX = 200

#: By key, in the order in which they were told. What nobody told is not there.
Facts = dict[str, list[str]]


def gather(host: Host, folder: Path) -> Facts:
    """Ask a host.

    :param folder: whose file system is asked for room
    :raises XentoolError: it has no shell, or cannot be reached
    """
    script = files(__package__).joinpath("facts.sh").read_bytes()
    return parsed(host.run(["sh", "-s", str(folder)], input=script).stdout)


def parsed(told: bytes) -> Facts:
    """Read what the script prints; lines that are no facts are passed over."""
    found: Facts = {}
    for line in told.decode(errors="replace").splitlines()[:_FACTS_MAX]:
        key, _, value = line.partition(" ")
        if value := value.strip():
            found.setdefault(key, []).append(value)
    return found


def first(facts: Facts, key: str) -> str | None:
    """Give a fact's value; None where nobody told it."""
    return facts.get(key, [None])[0]


def number(facts: Facts, key: str) -> float | None:
    """Give a fact that is a number; None where nobody told one."""
    try:
        return float(first(facts, key) or "")
    except ValueError:
        return None
