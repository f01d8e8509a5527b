"""What tests of network drivers may ask for."""

import pytest

from tests.pvdrivers.net.kernel import unavailable


@pytest.fixture(scope="session")
def kernel() -> None:
    """Skip where this machine's kernel cannot be asked what it makes of frames."""
    if why := unavailable():
        pytest.skip(f"the kernel cannot be asked: {why}")
