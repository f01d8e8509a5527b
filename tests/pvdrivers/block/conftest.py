from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.transport.loopback import Machine, machine
from tests.pvdrivers.block.rig import BACK, FRONT, STRANGER


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder: Path = tmp_path_factory.mktemp("m")
    with machine(folder, [BACK, FRONT, STRANGER]) as running:
        yield running
