"""A store of our own for all tests of a module; each works under a path of its own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from tests.xentool.cli.running import Store, run


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("store")
    with served(directory):
        yield directory / "dom0"


@pytest.fixture(scope="module")
def client(socket: Path) -> Iterator[Client]:
    with Client(socket) as client:
        yield client


@pytest.fixture(scope="module")
def store(socket: Path) -> Store:
    """Function that runs ``xentool store WORDS…`` on the store."""

    def ran(*words: str, path: Path = socket, columns: int = 80) -> subprocess.CompletedProcess[str]:
        return run("store", *words, XENSTORED_PATH=str(path), COLUMNS=str(columns))

    return ran
