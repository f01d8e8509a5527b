"""What CHANGELOG.md says is released is what the program says it is."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from release import changes
from xentool import __version__

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def test_the_newest_release_is_this_version() -> None:
    version, _ = changes.newest(CHANGELOG)
    assert version == __version__


def test_the_first_release_and_its_day(tmp_path: Path) -> None:
    (tmp_path / "c.md").write_text("# Changelog\n\n## Unreleased\n\n## 1.20.3 - 2026-02-28\n\n## 1.0.0 - 2025-01-01\n")
    assert changes.newest(tmp_path / "c.md") == ("1.20.3", datetime(2026, 2, 28, tzinfo=UTC))
    (tmp_path / "none.md").write_text("## Unreleased\n")
    with pytest.raises(LookupError, match="tells no release"):
        changes.newest(tmp_path / "none.md")
