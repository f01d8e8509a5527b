"""Our XenStore held against the real one, oxenstored in the lab's dom0."""

import random
from contextlib import closing, suppress

import pytest

from pvdrivers.xenstore.client import Refused, TimedOut, View
from tests.pvdrivers.xenstore.clients import DATA
from tests.pvdrivers.xenstore.model import Conn, Fault, Model
from tests.pvdrivers.xenstore.model import Transaction as ModelTransaction
from tests.xen.labs import Lab, one_xen
from xentool.hosts import resolve
from xentool.tools import store

pytestmark = pytest.mark.lab


@one_xen
@pytest.mark.parametrize(("name", "recorded"), [("commands", "commands"), ("differing", "differing-oxenstored")])
def test_the_recordings_are_what_oxenstored_says(lab: Lab, name: str, recorded: str) -> None:
    assert "oxenstored" in lab.run("ps", "ax")
    printed = lab.run("sh", "-c", (DATA / "run.sh").read_text(), input=(DATA / f"{name}.txt").read_bytes())
    assert printed.split("\n$ ") == (DATA / f"{recorded}.out").read_text().strip().split("\n$ ")


#: Under one node, so that the store's own are left alone; few, so that operations meet.
PATHS = ["/xt", "/xt/a", "/xt/a/b", "/xt/a/b/c", "/xt/a/ab", "/xt/d", "/xt/d/e/f", "/xt//a", "/xt/a/"]
STEPS = 1000


def step(chance: random.Random) -> tuple[str, list[str]]:
    """Choose an operation and what it is done with."""
    path = chance.choice(PATHS)
    match chance.randrange(8):
        case 0 | 1 | 2:
            return "write", [path, chance.choice(["", "x", "yy\0\t\xff"])]
        case 3:
            return "mkdir", [path]
        case 4:
            return "rm", [path]
        case 5:
            return "set_perms", [path, *chance.choices(["n0", "r0", "b5", "w7"], k=chance.randrange(1, 4))]
        case 6:
            return "directory", [path]
        case _:
            return chance.choice(["read", "get_perms"]), [path]


def real(view: View, name: str, words: list[str]) -> str:
    """Do it on the real store, and give the answer as the model words it."""
    path, *rest = words
    try:
        match name:
            case "write":
                view.write(path, rest[0].encode("latin-1"))
            case "mkdir":
                view.mkdir(path)
            case "rm":
                view.remove(path)
            case "set_perms":
                view.set_permissions(path, rest)
            case "directory":
                return "".join(f"{child}\0" for child in view.directory(path))
            case "read":
                return view.read(path).decode("latin-1")
            case _:
                return "".join(f"{entry}\0" for entry in view.permissions(path))
    except Refused as error:
        return error.name
    return "OK\0"


def expected(model: Model, conn: Conn, name: str, words: list[str]) -> str:
    """Do it on the model. oxenstored lists children by name, and the store that the model describes by age."""
    path, *rest = words
    try:
        if name == "set_perms":
            return model.do_set_perms(conn, path, rest)
        answer: str = getattr(model, f"do_{name}")(conn, path, *rest)
    except Fault as fault:
        return str(fault)
    return "".join(f"{child}\0" for child in sorted(answer.split("\0")[:-1])) if name == "directory" else answer


#: In dom0: threads that ask for different nodes, over the device that guests have.
ASKED_AT_ONCE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pvdrivers.xenstore.client import Client
paths = ["/local/domain/0/name", "/local/domain/0/domid", "/local/domain", "/local"]
with Client(Path("/dev/xen/xenbus")) as client, ThreadPoolExecutor(4) as pool:
    right = [client.read(path) for path in paths]
    same = [pool.submit(lambda at=at: client.read(paths[at]) == right[at]) for at in [0, 1, 2, 3] * 100]
    print(right[0].decode(), sum(one.result() for one in same))
"""


def test_linuxs_device_takes_requests_of_many_threads(lab: Lab) -> None:
    assert lab.run("python3", "-", input=ASKED_AT_ONCE.encode()).strip() == "Domain-0 400"


@one_xen
def test_the_model_holds_for_oxenstored(lab: Lab) -> None:
    """A thousand steps. Left out, since oxenstored decides otherwise: conflicts of transactions, order of events."""
    chance = random.Random(4)  # noqa: S311 - test data
    model = Model([0], {"watches": 0})
    conn = model.conns[0]
    with closing(resolve(lab.host)) as host, store.connect(host) as client:
        real(client, "rm", ["/xt"])
        done = 0
        with client.watch("/xt") as watch:
            assert watch.next(60) == "/xt"
            model.do_watch(conn, "/xt", "t", -1)
            while done < STEPS:
                transaction = client.transaction() if chance.random() < 0.2 else None
                if transaction:
                    conn.tx = conn.transactions[1] = ModelTransaction()
                for _ in range(chance.randrange(1, 6) if transaction else 1):
                    name, words = step(chance)
                    assert real(transaction or client, name, words) == expected(model, conn, name, words), (name, words)
                    done += 1
                if transaction:
                    conn.tx = None
                    verdict = chance.choice("TTF")
                    model.do_transaction_end(conn, 1, verdict)
                    transaction.commit() if verdict == "T" else transaction.abort()
            found = client.snapshot("/xt") if client.exists("/xt") else {}
            nodes = {path: node.value.encode("latin-1") for path, node in model.nodes.items() if path.startswith("/xt")}
            assert found == nodes
            told = {path for path, _ in conn.events}
            with suppress(TimedOut):
                while told:
                    told.discard(watch.next(60))
            assert told == set()
        real(client, "rm", ["/xt"])
