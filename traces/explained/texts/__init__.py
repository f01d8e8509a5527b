"""What is said of names, in the files beside this: of each text the names, or patterns of them, that it is of."""

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from traces.plain import frozen

_FOLDER = Path(__file__).parent


@frozen
class Text:
    """``names`` may have * and ? and sets in brackets, as file names have."""

    names: tuple[str, ...]
    why: str
    when: str
    look: str


@cache
def _file(name: str) -> tuple[Text, ...]:
    found = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return tuple(Text(tuple(key.split()), **said) for key, said in found.items())


def texts(files: Iterable[str]) -> Iterable[Text]:
    """Give the texts of some files, in their order."""
    return (text for name in files for text in _file(name))
