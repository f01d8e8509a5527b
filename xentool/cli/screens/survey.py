"""What `grants`, `evtchn` and `channels` show alike."""

from typing import Any

from rich.console import Console
from rich.text import Text

from traces.foreign import printable
from xentool.errors import PeerError
from xentool.tools.channels.survey import Survey
from xentool.tools.store.nodes import complain


def domain(found: Survey, domid: int) -> str:
    """Name a domain: ``d5 web``."""
    name = found.names.get(domid)
    return f"d{domid} {name}" if name else f"d{domid}"


def besides(found: Survey, domid: int | None) -> dict[str, Any]:
    """Give what else a document tells: what looks wrong with this domain or all, and what could not be read."""
    return {
        "findings": [{"domid": of, "finding": text} for of, text in found.findings if domid in (None, of)],
        "unread_lines": found.unread,
        "unlisted": [each.path for each in found.unlisted],
    }


def check(found: Survey, *, ports: bool = False, grants: bool = False) -> None:
    """Fail if something of what was asked for is missing; to be called when all the rest is told.

    :raises PeerError: Xen's dumps could not be read as a whole
    :raises XentoolError: XenStore could not
    """
    lost = [*(found.lost_ports if ports else ()), *(found.lost_grants if grants else ())]
    if lost:
        what = " and ".join(word for word, asked in (("ports", ports), ("grants", grants)) if asked)
        raise PeerError(f"Xen's console could not be read as a whole, and {what} are missing above: {lost[0]!r:.200}")
    complain(found.unlisted)


def write_besides(found: Survey, domid: int | None, console: Console) -> None:
    """Write the same for people."""
    told = [(of, text) for of, text in found.findings if domid in (None, of)]
    if told:
        console.print()
        for of, text in told:
            console.print(Text(f"{printable(domain(found, of))}: {text}", "yellow"))
    if found.unread:
        console.print()
        console.print(Text(f"{len(found.unread)} of Xen's lines could not be read, such as:", "yellow"))
        console.print(Text(f"  {printable(found.unread[0])}"))
