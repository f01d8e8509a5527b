"""Documents: each path, link and module that they name is there, and the map stays short enough to be read."""

from pathlib import Path

import pytest

from tests.docs.paths import ROOT, documents, unknown, unknown_modules

MAP = ROOT / "ARCHITECTURE.md"
LINES_MAX = 150
#: Of which releases nobody promises that the files are still there.
HISTORY = ROOT / "CHANGELOG.md"
#: Where names with dots are names of this tree, not of pandas or Xen.
OURS = [MAP, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", [one for one in documents() if one != HISTORY], ids=name)
def test_what_it_names_is_there(document: Path) -> None:
    assert unknown(document) == []


@pytest.mark.parametrize("document", OURS, ids=name)
def test_modules_it_names_are_there(document: Path) -> None:
    assert unknown_modules(document) == []


def test_the_map_is_short() -> None:
    assert len(MAP.read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("document", documents(), ids=name)
def test_no_merge_is_left_in_it(document: Path) -> None:
    assert [line for line in document.read_text().splitlines() if line.startswith(("<<<<<<<", ">>>>>>>"))] == []


def test_every_room_is_on_the_map() -> None:
    text = MAP.read_text()
    rooms = [
        path.parent.relative_to(ROOT)
        for package in ("traces", "pvdrivers", "xentool")
        for path in ROOT.glob(f"{package}/*/__init__.py")
    ]
    assert [str(room) for room in rooms if f"`{room}`" not in text] == []


def test_what_is_missing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`traces/gone.py`, `traces/{scan,gone}.py`, `scan.gone`, [there](gone.md), `traces/scan.py`, `scan.Scan`\n"
    )
    assert unknown(page) == ["gone.md", "traces/gone.py", "traces/{scan,gone}.py"]
    assert unknown_modules(page) == ["scan.gone"]
