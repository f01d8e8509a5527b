"""Tests marked `netns` are root in a network namespace of their own, whoever runs them and whatever devices there are.

They are run by one more pytest, which is root of a user namespace, and told by a pipe what to run next: so nothing of
this process changes, and nothing is left of what a test makes. A machine without user namespaces for its users
(`unshare -Urn true` fails) has none for the lab's image either.
"""

import ctypes
import json
import os
import subprocess
import sys

import pytest

from tests.pvdrivers.net.ports import hosts

#: What tells the other pytest its two pipes.
INSIDE = "XENTOOL_TEST_NETNS"
# linux/sched.h
CLONE_NEWNET = 0x40000000


class Inside:
    """The other pytest, begun when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, item: pytest.Function) -> str:
        """Run a test there; give what is wrong, or nothing."""
        if self._process is None:
            theirs, ask = os.pipe()
            answers, answer = os.pipe()
            command = ["unshare", "-Urn", sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
            self._process = subprocess.Popen(
                [*command, item.path.parent],
                cwd=item.config.rootpath,
                env={**os.environ, INSIDE: f"{theirs} {answer}"},
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs, answer),
            )
            os.close(theirs)
            os.close(answer)
            self._ask, self._answers = os.fdopen(ask, "w"), os.fdopen(answers)
        print(item.nodeid, file=self._ask, flush=True)
        line = self._answers.readline()
        return str(json.loads(line)) if line else f"pytest in the namespace is gone: {self._process.wait()}"

    def close(self) -> None:
        """End it."""
        if self._process:
            self._ask.close()
            self._answers.close()
            self._process.wait()


_inside = Inside()


@pytest.fixture(params=[True, False], ids=["compiled", "reference"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ports opened of either way."""
    monkeypatch.setattr(hosts, "compiled", request.param)


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Have a test run where it belongs."""
    if not pyfuncitem.get_closest_marker("netns") or INSIDE in os.environ:
        return None
    if wrong := _inside.run(pyfuncitem):
        pytest.fail(wrong, pytrace=False)
    return True


def pytest_sessionfinish() -> None:
    """End the other pytest."""
    _inside.close()


class Reports:
    """What is wrong with the test that runs."""

    def __init__(self) -> None:
        self.wrong = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed, and that nothing was left out."""
        if not report.passed:
            self.wrong += f"{report.longreprtext}\n" + "".join(f"{name}:\n{text}" for name, text in report.sections)


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run tests as they are asked for, if this is the other pytest."""
    if INSIDE not in os.environ:
        return None
    theirs, answer = map(int, os.environ[INSIDE].split())
    items = {item.nodeid: item for item in session.items}
    reports = Reports()
    session.config.pluginmanager.register(reports)
    libc = ctypes.CDLL(None, use_errno=True)
    with os.fdopen(theirs) as asked, os.fdopen(answer, "w") as answers:
        for nodeid in asked:
            reports.wrong = ""
            if libc.unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "unshare")
            item = items[nodeid.rstrip("\n")]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            print(json.dumps(reports.wrong), file=answers, flush=True)
    return True
