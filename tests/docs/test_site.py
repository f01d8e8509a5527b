"""The site's sources as they are gathered, and its check of links. `make docs` builds it."""

import re
from pathlib import Path

import pytest

from tests.docs import site
from tests.docs.paths import ROOT
from xentool.cli.commands import COMMANDS


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site.gather(folder)
    return folder


def test_everything_is_in_its_contents(sources: Path) -> None:
    listed = set()
    for page in sources.rglob("*.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            listed |= {(page.parent / f"{line}.md").resolve() for line in tree.splitlines() if line and line[0] != ":"}
    assert {path for path in listed if not path.exists()} == set()
    assert {path.resolve() for path in sources.rglob("*.md")} - listed == {(sources / "docs/index.md").resolve()}


def test_manual_pages_are_text(sources: Path) -> None:
    page = (sources / "man/xentool-report.md").read_text()
    assert "--slowest N" in page
    assert "\x08" not in page
    assert all((sources / f"man/xentool-{name}.md").exists() for name in COMMANDS)


def test_links_into_the_libraries_lead_to_their_api(sources: Path) -> None:
    page = (sources / "docs/split-driver.md").read_text()
    assert "{py:mod}`block/request.py <pvdrivers.block.request>`" in page
    assert "](../pvdrivers" not in page
    assert "automodule:: pvdrivers.block.request\n" in (sources / "api/pvdrivers.block.md").read_text()
    assert "{py:mod}`traces/scan.py <traces.scan>`" in (sources / "ARCHITECTURE.md").read_text()


def test_diagrams_are_tables(sources: Path) -> None:
    page = (sources / "docs/xenbus.md").read_text()
    assert "mermaid" not in page
    assert "| Initialising | InitWait | publish | Initialised |" in page
    assert page.count("| --- |") + page.count("|---|") >= (ROOT / "docs/xenbus.md").read_text().count("```mermaid")


def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#there">1</a><a href="b.html#gone">2</a><a href="c.html">3</a>')
    (tmp_path / "b.html").write_text('<p id="there"><a href="https://x/">4</a><script src="https://x/y.js"></script>')
    assert sorted(line.partition(": ")[2] for line in site.broken(tmp_path)) == [
        "b.html#gone has no such place",
        "c.html is not there",
        "loads https://x/y.js",
    ]
