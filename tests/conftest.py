"""Hypothesis for all tests: what it tries hangs on the test alone, not on how busy the machine is or what ran before.

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
