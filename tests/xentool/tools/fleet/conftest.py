"""What tests of fleets may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from xentool.tools.fleet.engine import Engine, engine


@pytest.fixture(autouse=True)
def _kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep answers where no other test finds them, and none of this machine's users."""
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def shared() -> Iterator[Engine]:
    """Give two workers that all tests share."""
    with engine(None, 2) as made:
        yield made
