"""What drivers are known to do otherwise, from ``quirks.toml`` beside this: data, with a source each."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pvdrivers.conformance.observation import Observation, Seen

_WORDS = {each.word: each for each in Observation}


@dataclass(frozen=True)
class Quirk:
    """A divergence.

    :param driver: as subjects name theirs
    :param versions: a pattern, as of file names
    :param text: what is observed, for people
    :param source: where in the driver it comes from
    :param what: a pattern of what is tried, where it is seen of nothing else
    :param sometimes: chance decides whether it is seen: that it is not, once, does not tell that it is gone
    """

    driver: str
    versions: str
    case: str
    observation: Observation
    text: str
    source: str
    what: str = "*"
    sometimes: bool = False

    def explains(self, seen: Seen) -> bool:
        """Tell whether this is what was observed."""
        return seen.observation is self.observation and fnmatchcase(seen.what, self.what)


@dataclass(frozen=True)
class Withheld:
    """A case that is not run on a driver, which does not stand it; what happened, in words, without the trigger."""

    driver: str
    versions: str
    case: str
    text: str


@cache
def _listed() -> tuple[tuple[Quirk, ...], tuple[Withheld, ...]]:
    return parsed(tomllib.loads(Path(__file__).with_name("quirks.toml").read_text()))


def parsed(document: dict[str, Any]) -> tuple[tuple[Quirk, ...], tuple[Withheld, ...]]:
    """Read the tables ``quirk`` and ``withheld``.

    :raises KeyError, TypeError: an entry lacks something, or has too much
    """
    quirks = (Quirk(**{**each, "observation": _WORDS[each["observation"]]}) for each in document.get("quirk", []))
    return tuple(quirks), tuple(Withheld(**each) for each in document.get("withheld", []))


def quirks_of(driver: str, version: str, case: str) -> list[Quirk]:
    """Give the known divergences of a driver in a case."""
    return [each for each in _listed()[0] if _concerns(each, driver, version, case)]


def withheld_of(driver: str, version: str, case: str) -> Withheld | None:
    """Tell why a case is not run on a driver; None if it is."""
    return next((each for each in _listed()[1] if _concerns(each, driver, version, case)), None)


def _concerns(each: Quirk | Withheld, driver: str, version: str, case: str) -> bool:
    # Whatever the guest is in which it was met.
    return (each.driver, each.case) == (driver.partition("@")[0], case) and fnmatchcase(version, each.versions)
