"""Domains made, stopped and ended, by xl. Each change is a command that a caller may show instead of run."""

import re
import time
from pathlib import PurePath

from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools import xl

# Seconds.
_POLL = 0.5
# How long the xl that started a domain may take to take it down once it has shut down.
_TAKEN_DOWN = 10.0
# xl takes a configuration from a plain file only, and here it is on another machine.
_CREATE = 'f=$(mktemp) && cat >"$f" && xl create -q "$f"; s=$?; rm -f "$f"; exit $s'
_TEMPORARY = re.compile(r"/\S*/tmp\.\w+")


def create(host: Host, configuration: bytes, name: str) -> xl.Domain:
    """Make and start a domain.

    :param configuration: what xl.cfg(5) describes; the paths in it are dom0's
    :param name: of the configuration, for messages
    :raises XentoolError: xl refuses it
    """
    before = {domain.domid for domain in xl.list_domains(host)}
    try:
        xl.change(host, ["sh", "-c", _CREATE], input=configuration)
    except XentoolError as error:
        raise XentoolError(_TEMPORARY.sub(PurePath(name).name, str(error))) from error
    made = [domain for domain in xl.list_domains(host) if domain.domid not in before]
    if not made:
        raise XentoolError(f"the domain of {name} ended as soon as it was made")
    return made[-1]


def command(verb: str, domain: xl.Domain) -> list[str]:
    """Give xl's command for destroy, pause, unpause or shutdown.

    :raises XentoolError: the domain is dom0
    """
    if domain.domid == 0:
        raise XentoolError(f"domain 0 is the host itself; {verb} is for its guests")
    return ["xl", verb, str(domain.domid)]


def wait_for_end(host: Host, domain: xl.Domain, seconds: float) -> None:
    """Wait until a domain is gone, or has shut down and is kept (``on_poweroff = "preserve"``).

    :raises XentoolError: it runs after so long
    """
    deadline = time.monotonic() + seconds
    kept = 0.0
    while (row := _row(host, domain.domid)) is not None and kept < _TAKEN_DOWN:
        if row.flags[3] == "s":
            kept += _POLL
        elif time.monotonic() >= deadline:
            raise XentoolError(
                f"{xl.called(domain)} has not shut down within {seconds:g} s; "
                f"`xentool destroy {domain.domid}` ends it by force"
            )
        time.sleep(_POLL)


def _row(host: Host, domid: int) -> xl.Row | None:
    return next((row for row in xl.rows(host) if row.domid == domid), None)
