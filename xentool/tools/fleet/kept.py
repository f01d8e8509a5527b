"""Answers of earlier runs, in a file of this user: what has not changed since is not read again.

Law: nothing here is needed. A file that is damaged, or of another version, is made anew; without one all goes on.
"""

import json
import os
import sqlite3
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from traces.analyses.fleet import digest
from traces.analyses.fleet.digest import Digest
from xentool import __version__
from xentool.hosts.labs import cache_directory
from xentool.tools.fleet.places import Place, is_url

#: Answers that are kept, the last used ones.
_MOST = 50_000
_TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, used INTEGER, answer TEXT)"

_FORGET = "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used DESC LIMIT -1 OFFSET ?)"


class Kept:
    """The answers that are kept; see the law above."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or cache_directory() / "fleet.sqlite3"
        self._database = self._opened()

    def _opened(self) -> sqlite3.Connection | None:
        for _ in range(2):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                database = sqlite3.connect(self._path, timeout=5, isolation_level=None)
                # What is lost when the machine stops is read again.
                database.execute("PRAGMA synchronous = OFF")
                database.execute(_TABLE)
                return database
            except sqlite3.OperationalError:
                return None  # no room, no right, or in use
            except sqlite3.DatabaseError:
                with suppress(OSError):
                    self._path.unlink()
            except OSError:
                return None
        return None

    def get(self, place: Place) -> Digest | None:
        """Give the answer on a file, if it has not changed."""
        if self._database is None:
            return None
        try:
            row = self._database.execute(
                "UPDATE answers SET used = unixepoch() WHERE key = ? RETURNING answer", [_key(place)]
            ).fetchone()
            return digest.parsed(json.loads(row[0])) if row else None
        except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError):
            return None

    def put(self, place: Place, one: Digest) -> None:
        """Keep the answer on a file."""
        if self._database is None:
            return
        with suppress(sqlite3.Error):
            answer = json.dumps(digest.document(one))
            self._database.execute("INSERT OR REPLACE INTO answers VALUES (?, unixepoch(), ?)", [_key(place), answer])

    def close(self) -> None:
        """Forget what was not asked for the longest, and end."""
        if self._database is None:
            return
        with suppress(sqlite3.Error):
            self._database.execute(
                _FORGET,
                [_MOST],
            )
        self._database.close()


def _key(place: Place) -> str:
    # A path means another file elsewhere.
    name = place.url if is_url(place.url) else os.path.abspath(place.url)  # noqa: PTH100 - links stay what they are
    about = f"{__version__} {digest.VERSION} {place.stamp} {place.url} {name}"
    return sha256(about.encode("utf8", "surrogatepass")).hexdigest()
