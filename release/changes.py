"""CHANGELOG.md's newest release: what is released, and when."""

import datetime
import re
from pathlib import Path

_RELEASE = re.compile(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)


def newest(changelog: Path) -> tuple[str, datetime.datetime]:
    """Return version and day (its beginning, UTC) of the release that stands first; LookupError if there is none."""
    found = _RELEASE.search(changelog.read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"{changelog} tells no release such as '## 1.2.3 - 2026-01-31'")
    return found[1], datetime.datetime.fromisoformat(found[2]).replace(tzinfo=datetime.UTC)
