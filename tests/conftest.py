"""For all tests: what one tries, and is called, hangs on the test alone, not on how busy the machine is or the time.

``XENTOOL_FUZZ`` in the environment makes it try other things each time.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "xentool",
    deadline=None,
    database=None,
    derandomize="XENTOOL_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("xentool")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are not a test's name: gzip writes the time into them, and each worker must collect the same names."""
    return argname if isinstance(val, bytes) else None
