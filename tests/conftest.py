"""For all tests: what one tries, and is called, hangs on the test alone, not on how busy the machine is or the time.

``XENTOOL_FUZZ`` in the environment makes it try other things each time.
"""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.hung import Hung
from tests.times import Times
from xentool.hosts import named

settings.register_profile(
    "xentool",
    deadline=None,
    database=None,
    derandomize="XENTOOL_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("xentool")


#: What the machine's load per processor is, where nothing else runs.
QUIET = 0.5


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what is run, and what is noted of it."""
    parser.addoption("--whole", action="store_true", help="long scenarios on each Xen with each type of guest")
    parser.addoption("--times", metavar="KIND", help="note where the time went, for `python -m tests.times`")


def pytest_configure(config: pytest.Config) -> None:
    """Note times, in the process that hears of all tests; be interruptible, and so whatever a test interrupts.

    None hangs for ever.
    """
    # A shell's background job ignores one, what nohup starts the other; and so does all that they start.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    # How a developer calls hosts, and which is in use, is for no test to see.
    if (where := named.path()) is not None and where.exists():
        os.environ["XDG_CONFIG_HOME"] = "/nonexistent"
    config.pluginmanager.register(Hung())
    if (kind := config.getoption("--times")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Times(kind))


def pytest_report_header() -> list[str]:
    """Warn of a machine that does other work."""
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    if load <= QUIET * cpus:
        return []
    return [f"load {load:.1f} on {cpus} CPUs before the tests began: they take longer, and none should fail of that"]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are not a test's name: gzip writes the time into them, and each worker must collect the same names."""
    return argname if isinstance(val, bytes) else None
