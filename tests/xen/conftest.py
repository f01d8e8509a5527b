"""One lab for each version of Xen, started when the first test needs it and shared by all."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.missing import missing
from tests.xen.labs import HUNG, Lab
from xentool.errors import Unavailable, XentoolError
from xentool.lab import api, process, record
from xentool.lab.places import run_folder

PREFIX = "pytest-"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, without ``--whole``, what is not usually run (see `labs.usually`); shared labs come last.

    A shared lab lives on until another is asked for, and would take time from those that tests start for themselves.
    """
    unusual = [] if config.getoption("--whole") else [item for item in items if not _usual(item)]
    if unusual:
        config.hook.pytest_deselected(items=unusual)
        items[:] = [item for item in items if item not in unusual]
    items.sort(key=lambda item: isinstance(item, pytest.Function) and "lab" in item.fixturenames)


def _usual(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("usually")
    if marker is None or not isinstance(item, pytest.Function):
        return True
    values = set(map(str, item.callspec.params.values())) if hasattr(item, "callspec") else set()
    return any(set(combination.split()) <= values for combination in marker.args)


def start(
    name: str,
    xen: str = "4.17",
    store: str = api.STORES[0],
    hypervisor: str = api.XEN.name,
    *,
    memory_mib: int = 3072,
    anew: bool = False,
) -> api.Lab:
    """Start a lab; the test is left out where the machine lacks something for it.

    :param anew: it boots, whether or not it was saved before
    """
    try:
        return api.up(name, hypervisor=hypervisor, xen=xen, memory_mib=memory_mib, store=store, anew=anew)
    except Unavailable as error:
        missing(f"no lab on this machine ({error})")


@pytest.fixture(scope="session")
def _leftovers() -> None:
    os.environ.setdefault("XENTOOL_TIMEOUT", str(HUNG))  # nobody watches, and a starved dom0 takes its time
    # Labs of an earlier run of the tests that was killed.
    for name in record.names():
        if name.startswith(PREFIX) and not Path("/proc", name.rsplit("-", 1)[1]).exists():
            api.down(name)


@pytest.fixture(scope="session", params=api.RELEASES)
def lab(request: pytest.FixtureRequest, _leftovers: None) -> Iterator[Lab]:
    """Lab of each version in turn: pytest ends one before it starts the next, so that only one runs at a time."""
    name = f"{PREFIX}{request.param}-{os.getpid()}"
    start(name, request.param)
    try:
        shared = Lab(name, request.param)
        yield shared
        shared.close()
    finally:
        ended = api.down(name)
    assert ended == f"lab {name} ended in order"
    assert process.find(run_folder(name)) is None


@pytest.fixture
def own_lab(_leftovers: None) -> Iterator[Callable[..., api.Lab]]:
    """Function that starts a lab for one test, to destroy or with a store of its own."""
    name = f"{PREFIX}own-{os.getpid()}"
    yield lambda **chosen: start(name, **chosen)
    with suppress(XentoolError):
        api.down(name)


@pytest.fixture
def small_labs(_leftovers: None) -> Iterator[Callable[[int], list[Lab]]]:
    """Function that starts several small labs side by side, for one test."""
    started: list[Lab] = []

    def begin(count: int) -> list[Lab]:
        for number in range(count):
            lab = start(f"{PREFIX}small{number}-{os.getpid()}", memory_mib=1536)
            started.append(Lab(lab.name, lab.xen))
        return started

    try:
        yield begin
    finally:
        for lab in started:
            lab.close()
            with suppress(XentoolError):
                api.down(lab.name)
