"""What documents name of this tree: paths, and modules with what is in them."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ROOMS = ("traces", "pvdrivers", "xentool", "tests", "docs")
_SOURCES = (".py", ".pyx", ".pxd", ".sh", ".md", ".toml", ".list", ".service")
_CODE = (".py", ".pyx", ".pxd")
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_QUOTED = re.compile(r"`([^`\s]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"[\w./{},*-]+")
#: As in `reader.read` or `wire.Parser`: a module or room of ours, and something of it.
_DOTTED = re.compile(r"[a-z_]+(?:\.[a-z_]+)*\.[A-Za-z_]+")


def documents() -> list[Path]:
    """Give every document: those at the root, and all of docs."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def unknown(document: Path) -> list[str]:
    """Give the paths, links and modules that a document names and nobody finds."""
    prose = _FENCE.sub("", document.read_text())
    missing = [link for link in _LINK.findall(prose) if not _linked(document, link)]
    missing += [word for word in _QUOTED.findall(prose) if _is_path(word) and not all(map(_exists, _spelt_out(word)))]
    return missing


def unknown_modules(document: Path) -> list[str]:
    """Give what a document says by dots, as in `counting.fold`, and the tree has not."""
    prose = _FENCE.sub("", document.read_text())
    return [word for word in _QUOTED.findall(prose) if _DOTTED.fullmatch(word) and not _known(word)]


def _linked(document: Path, link: str) -> bool:
    target, _, anchor = link.partition("#")
    if "://" in target:
        return True
    path = document.parent / target if target else document
    return path.exists() and (not anchor or anchor in _anchors(path))


def _anchors(document: Path) -> set[str]:
    # As code hosts make them of headings.
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _is_path(word: str) -> bool:
    if not _PATH.fullmatch(word) or word.startswith(("/", ".")):
        return False
    return word.startswith(tuple(f"{room}/" for room in _ROOMS)) or (word.endswith(_SOURCES) and "*" not in word)


def _spelt_out(word: str) -> Iterator[str]:
    parts = [part.split(",") for part in re.split(r"[{}]", word)]
    yield from ("".join(one) for one in product(*parts))


def _exists(path: str) -> bool:
    if "*" in path:
        return any(ROOT.glob(path))
    return (ROOT / path).exists() or any(f"/{one}".endswith(f"/{path}") for one in _files())


def _known(word: str) -> bool:
    first, *_ = parts = word.split(".")
    if first in sys.stdlib_module_names or f".{parts[-1]}" in _SOURCES or parts[-1] in ("json", "c"):
        return True
    for count in range(len(parts), 0, -1):
        room, names = "/".join(parts[:count]), parts[count:]
        found = [one for one in _files() if one.endswith(_CODE) and _holds(one, room)]
        if found:
            return not names or any(re.search(rf"\b{names[0]}\b", (ROOT / one).read_text()) for one in found)
    return False


def _holds(path: str, room: str) -> bool:
    # The module of that name, or any of the folder of that name.
    stem = "/" + path.rpartition(".")[0]
    return stem.endswith(f"/{room}") or f"/{room}/" in stem


@cache
def _files() -> list[str]:
    found = (path for room in _ROOMS for path in (ROOT / room).rglob("*"))
    return [*(path.name for path in ROOT.iterdir()), *(str(path.relative_to(ROOT)) for path in found)]
