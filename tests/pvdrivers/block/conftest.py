from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pvdrivers.block.pair import Bench, bench


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made
