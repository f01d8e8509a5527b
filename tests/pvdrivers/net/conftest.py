"""What tests of network drivers may ask for."""

import pytest

from tests.missing import missing
from tests.pvdrivers.net.kernel import unavailable


@pytest.fixture(scope="session")
def kernel() -> None:
    """Have this machine's kernel asked what it makes of frames."""
    if why := unavailable():
        missing(f"the kernel cannot be asked: {why}")
