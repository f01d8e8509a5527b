"""C xenstored itself, on this machine: what the plain model and the recordings say is what it does.

It is that of Xen 4.17. Ours follows the master branch, which differs in what ``newer`` tells.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from pvdrivers.xenstore.wire import Op
from tests.pvdrivers.xenstore.clients import DATA, Refused
from tests.pvdrivers.xenstore.machine import DOMIDS, Machine
from tests.pvdrivers.xenstore.model import Conn
from tests.pvdrivers.xenstore.served import Raw
from tests.pvdrivers.xenstore.xenstored import QUOTAS, Client, Ring, newer, xenstored

STEPS = int(os.environ.get("XENTOOL_FUZZ", "1500"))
STEPS_A_RUN = 60


@pytest.mark.parametrize("name", ["commands", "differing"])
def test_the_recordings_are_what_it_says(name: str) -> None:
    with xenstored() as folder:
        environment = {**os.environ, "XENSTORED_PATH": str(folder / "socket"), "LC_ALL": "C.UTF-8"}
        argv = ["sh", str(DATA / "run.sh")]
        with (DATA / f"{name}.txt").open("rb") as script:
            done = subprocess.run(argv, env=environment, stdin=script, capture_output=True, check=True, timeout=300)
    assert done.stdout.decode().split("\n$ ") == (DATA / f"{name}.out").read_text().split("\n$ ")


class XenstoredMachine(Machine):
    def __init__(self) -> None:
        self.open = ExitStack()
        folder = self.open.enter_context(xenstored())
        self.theirs = [Client(Ring(folder, domid) if domid else Raw(folder / "socket")) for domid in DOMIDS]
        for client in self.theirs:
            self.open.callback(client.close)
        super().__init__(self.theirs, QUOTAS)

    def both(self, who: int, which: int, op: Op, path: str, rest: str, expect: Callable[[Conn, str], str]) -> None:
        spoilt = op != Op.TRANSACTION_END and self.transaction(who, which) in self.theirs[who].spoilt
        if not newer(op, path, rest) and not spoilt:
            super().both(who, which, op, path, rest, expect)

    def teardown(self) -> None:
        with self.open:
            for path, node in self.model.nodes.items():
                if path[0] == "/":
                    assert self.ask(Op.READ, path) == node.value
                    assert self.ask(Op.GET_PERMS, path).split("\0")[:-1] == node.perms
                    assert self.ask(Op.DIRECTORY, path).split("\0")[:-1] == node.children

    def ask(self, op: Op, path: str) -> str:
        """Ask it alone, and give the reply, or the error's name."""
        try:
            return self.theirs[0].raw(op, f"{path}\0".encode())
        except Refused as error:
            return str(error)


TestXenstored = XenstoredMachine.TestCase
TestXenstored.settings = settings(
    max_examples=STEPS // STEPS_A_RUN,
    stateful_step_count=STEPS_A_RUN,
    derandomize="XENTOOL_FUZZ" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
