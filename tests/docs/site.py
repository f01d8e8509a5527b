"""Makes the documents into a site: gathers what it is made of, has Sphinx build it, and looks at every link of it.

python -m tests.docs.site        writes build/site; `make docs` brings what it needs
"""

import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pvdrivers
import traces
from tests.docs.paths import ROOT
from xentool.cli.common.manual import pages as manual
from xentool.cli.root import group

SOURCES, SITE = ROOT / "build/site-sources", ROOT / "build/site"
LIBRARIES = (traces, pvdrivers)
#: Above the tree of documents in the site's navigation.
_PARTS = {
    "": ["../README", "tutorial", "concepts"],
    "Reference": [
        "glossary",
        "json",
        "conformance",
        "verdicts",
        "reading",
        "xenalyze",
        "xen-versions",
        "speed",
        "compare",
        "datasets",
        "elsewhere",
        "fleet",
        "../man/index",
    ],
    "How it works": [
        "split-driver",
        "backend",
        "walk",
        "packet",
        "xenbus",
        "../ARCHITECTURE",
        "decisions/README",
        "../CONTRIBUTING",
        "../CHANGELOG",
    ],
    "Libraries": [f"../api/{library.__name__}" for library in LIBRARIES],
}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)\)")
_QUOTED = re.compile(r"(?<!`)`((?:traces|pvdrivers)/[\w/]+)\.pyx?`")
_STATES = re.compile(r"```mermaid\n(.*?)```\n", re.DOTALL)
_CODE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def main() -> None:
    shutil.rmtree(SOURCES, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    gather(SOURCES)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "-j", "auto", "-c", str(ROOT / "docs/site")]
    done = subprocess.run([*command, str(SOURCES), str(SITE)], check=False)
    wrong = list(broken(SITE)) if not done.returncode else []
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    if done.returncode or wrong:
        sys.exit(1)
    (SITE / "index.html").write_text('<!doctype html><meta http-equiv="refresh" content="0; url=docs/index.html">\n')
    print(f"{SITE.relative_to(ROOT)}/index.html: {len(list(SITE.rglob('*.html')))} pages")


def gather(target: Path) -> None:
    """Put together what Sphinx reads: documents, manual pages, and pages that have it look at the libraries."""
    documents = [*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*") if path.is_file())]
    for path in documents:
        place = target / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            place.write_text(_adapted(path))
        else:
            shutil.copy(path, place)
    with (target / "docs/index.md").open("a") as file:
        file.writelines(_contents(title, entries) for title, entries in _PARTS.items())
    with (target / "docs/decisions/README.md").open("a") as file:
        file.write(_contents("", sorted(path.stem for path in (ROOT / "docs/decisions").glob("[a-z]*.md"))))
    _write(target / "man", _manual())
    _write(target / "api", _api())


def _write(folder: Path, files: Iterator[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files:
        (folder / f"{name}.md").write_text(text)


def _contents(title: str, entries: list[str]) -> str:
    caption = f":caption: {title}\n" if title else ""
    return "\n".join(["", "```{toctree}", f":hidden:\n{caption}", *entries, "```", ""])


def _adapted(path: Path) -> str:
    # What a code host does with a document, the site does otherwise: links into the source, and diagrams.
    def link(match: re.Match[str]) -> str:
        words, target = match[1], (path.parent / match[2]).resolve()
        if not target.is_relative_to(ROOT) or not target.exists() or target.suffix in (".md", ".svg", ".png"):
            return match[0]
        inside = target.relative_to(ROOT)
        if target.is_dir() or target.suffix in (".py", ".pyx"):
            return _module(words, inside) or f"`{inside}`"
        return f"`{inside}`"

    def quoted(match: re.Match[str]) -> str:
        return _module(match[0].strip("`"), Path(match[0].strip("`"))) or match[0]

    parts = _CODE.split(_STATES.sub(lambda match: _table(match[1]), path.read_text()))
    parts[::2] = [_QUOTED.sub(quoted, _LINK.sub(link, part)) for part in parts[::2]]
    return "".join(parts)


def _module(words: str, inside: Path) -> str | None:
    name = ".".join(inside.with_suffix("").parts)
    return f"{{py:mod}}`{words} <{name}>`" if name in _modules() else None


def _table(diagram: str) -> str:
    # The diagram of a handshake, as Mermaid reads it: `Own --> Next: Peer, Peer / action`.
    steps = re.findall(r"(\w+) --> (\w+): (.*) / (\w+)", diagram)
    rows = [f"| {own} | {peers} | {action} | {then} |" for own, then, peers, action in steps]
    return "\n".join(["| state | its peer's is | it does | next state |", "|---|---|---|---|", *rows, ""])


def _manual() -> Iterator[tuple[str, str]]:
    found = dict(manual(group))
    for name, source in found.items():
        shown = subprocess.run(
            ["mandoc", "-T", "utf8", "-O", "width=90"], input=source, capture_output=True, text=True, check=True
        ).stdout
        # A terminal's way to print bold and underlined.
        text = re.sub(r".\x08", "", shown)
        yield name, f"# {name}\n\n```text\n{text}```\n"
    yield "index", "\n".join(["# Manual pages\n", "```{toctree}", ":maxdepth: 1\n", *found, "```", ""])


def _api() -> Iterator[tuple[str, str]]:
    rooms: dict[str, list[str]] = {}
    for name, is_room in _modules().items():
        room = name if is_room else name.rpartition(".")[0]
        rooms.setdefault(room, []).append(name)
    for room, names in rooms.items():
        below = [other for other in rooms if other.rpartition(".")[0] == room]
        tree = ["```{toctree}", ":maxdepth: 1\n", *below, "```\n"] if below else []
        parts = [f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n" for name in names]
        yield room, "\n".join([f"# {room}\n", *tree, *parts])


def _modules() -> dict[str, bool]:
    """Give the libraries' modules, and whether each is a room."""
    if not _FOUND:
        for library in LIBRARIES:
            _FOUND[library.__name__] = True
            _FOUND.update({one.name: one.ispkg for one in _walk(library)})
    return _FOUND


def _walk(library: ModuleType) -> Iterator[pkgutil.ModuleInfo]:
    yield from pkgutil.walk_packages(library.__path__, f"{library.__name__}.")


_FOUND: dict[str, bool] = {}


class _Page(HTMLParser):
    """The anchors of a page, and where it leads: what is followed, and what is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        of = dict(attributes)
        self.anchors.update(filter(None, (of.get("id"), of.get("name"))))
        if tag == "a" and of.get("href"):
            self.links.append(of["href"] or "")
        elif tag != "a":
            self.loaded += filter(None, (of.get("src"), of.get("href")))


def broken(site: Path) -> Iterator[str]:
    """Tell which links of a site lead nowhere, and what it would load from a network."""
    seen = {path: _parsed(path) for path in site.rglob("*.html")}
    for path, page in seen.items():
        yield from (f"{path}: loads {one}" for one in page.loaded if urlsplit(one).netloc)
        for link in [*page.links, *page.loaded]:
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            if not target.exists():
                yield f"{path}: {link} is not there"
            elif to.fragment and target in seen and unquote(to.fragment) not in seen[target].anchors:
                yield f"{path}: {link} has no such place"


def _parsed(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text())
    return page


if __name__ == "__main__":
    main()
