"""What captures of a fleet are called: their host, and the date of all of them."""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

#: What some shell or file system takes for more than a letter of a name.
_OTHER = re.compile(r"[^A-Za-z0-9@._-]+")
#: Letters of a host's name; a file's may have 255.
_LONGEST = 100


def stems(hosts: Iterable[str], at: datetime, taken: Collection[str]) -> list[str]:
    """Name a capture of each host, without a suffix; no two are alike, and none is there already.

    :param taken: the names in the folder where they are to be
    """
    date = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    found: list[str] = []
    for host in hosts:
        first = stem = f"{_plain(host)}-{date}"
        number = 1
        while stem in found or any(name.startswith(f"{stem}.") for name in taken):
            number += 1
            stem = f"{first}-{number}"
        found.append(stem)
    return found


def _plain(host: str) -> str:
    # A name that begins with a dot is hidden, and with a dash it is an option.
    return _OTHER.sub("_", host.removeprefix("ssh://")).lstrip(".-")[:_LONGEST] or "host"
