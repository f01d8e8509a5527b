"""What tests of hostile peers may ask for."""

from collections.abc import Iterator

import pytest

from tests.pvdrivers.net.hostile.vifs import Yard, yard


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Run a machine with a vif that has to be served whatever its siblings' frontends do."""
    with yard(tmp_path_factory.mktemp("machine")) as running:
        yield running


@pytest.fixture(params=["compiled", "readable"])
def readable(request: pytest.FixtureRequest) -> bool:
    """Go each of both ways."""
    return bool(request.param == "readable")
