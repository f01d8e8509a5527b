"""Where Debian packages come from: the mirrors that this machine itself uses, when it is a Debian."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_SUITES = r"(bullseye|bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)"
_ONE_LINE = re.compile(r"deb(?:\s+\[[^]]*])?\s+(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


@dataclass(frozen=True)
class Mirrors:
    """Addresses of the archive and of its security updates; None where the machine's configuration names none."""

    archive: str | None
    security: str | None


def read(texts: Iterable[str]) -> Mirrors:
    """Find the mirrors in apt's source files, of the one-line style and of deb822."""
    found: dict[str, str] = {}
    for text in texts:
        for uri, suite, components in [*_stanzas(text), *_lines(text)]:
            # Other vendors name their suites after Debian's: the end of the address tells them apart.
            kind = uri.rstrip("/").rpartition("/")[2]
            if "main" in components.split() and re.match(_SUITES, suite) and kind in {"debian", "debian-security"}:
                found.setdefault(kind, uri)
    return Mirrors(found.get("debian"), found.get("debian-security"))


def lines(mirrors: Mirrors, suite: str) -> list[str]:
    """Make the source lines of a suite; none when there is no mirror, and mmdebstrap then takes Debian's default."""
    if mirrors.archive is None:
        return []
    made = [f"deb {mirrors.archive} {suite} main", f"deb {mirrors.archive} {suite}-updates main"]
    if mirrors.security is not None:
        made.append(f"deb {mirrors.security} {suite}-security main")
    return made


def of_this_machine(etc: Path = Path("/etc")) -> Mirrors:
    """Read this machine's apt configuration."""
    paths = [etc / "apt/sources.list", *sorted((etc / "apt/sources.list.d").glob("*"))]
    return read(path.read_text() for path in paths if path.suffix in {".list", ".sources"} and path.is_file())


def _stanzas(text: str) -> Iterator[tuple[str, str, str]]:
    for stanza in re.split(r"\n\s*\n", text):
        rows = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields = {key.lower(): value.strip() for key, colon, value in (row.partition(":") for row in rows) if colon}
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    yield uri, suite, fields.get("components", "")


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.strip()):
            yield match["uri"], match["suite"], match["components"]
