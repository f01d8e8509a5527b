"""Each operation: done, refused for what it was given, refused for who asks."""

import pytest

from pvdrivers.xenstore.wire import Op
from tests.pvdrivers.xenstore.cases import CASES, new_store
from tests.pvdrivers.xenstore.clients import Client, outcome


@pytest.mark.parametrize(
    ("op", "payload", "dom0", "domu"),
    CASES,
    ids=[f"{Op(c[0]).name if c[0] in list(Op) else c[0]}-{c[1][:20]!r}" for c in CASES],
)
def test_a_request(op: int, payload: str, dom0: str, domu: str) -> None:
    for domid, expected in ((0, dom0), (5, domu)):
        client = Client(new_store(), domid)
        found = outcome(lambda client=client: client.raw(op, payload.encode("latin-1")))  # type: ignore[misc] # a lambda's default has no type
        if op == Op.DIRECTORY_PART and "\0" in expected:
            # The generation is a number that only has to be there.
            assert isinstance(found, str)
            assert found.partition("\0")[2] == expected.partition("\0")[2], f"as domain {domid}"
        else:
            assert found == expected, f"as domain {domid}"


def test_every_operation_is_in_the_table() -> None:
    assert {case[0] for case in CASES} >= set(Op)


def test_a_transaction_id_that_is_nobodys() -> None:
    store = new_store()
    mine, other = Client(store), Client(store)
    tx = mine.begin()
    assert outcome(lambda: mine.read("/a", tx=tx + 1)) == "ENOENT"
    assert outcome(lambda: other.read("/a", tx=tx)) == "ENOENT"
    assert outcome(lambda: mine(Op.TRANSACTION_START, "", tx=tx)) == "EBUSY"
    assert outcome(lambda: mine(Op.WATCH, "/a", "t", tx=99)) == "OK\0"
    mine.end(tx)
    assert outcome(lambda: mine.end(tx)) == "ENOENT"


def test_a_large_directory_by_parts() -> None:
    client = Client(new_store())
    names = [f"a-rather-long-name-{number:04}" for number in range(900)]
    for name in names:
        client(Op.MKDIR, f"/large/{name}")
    assert outcome(lambda: client.ls("/large")) == "E2BIG"
    found, generations = "", set()
    while not found.endswith("\0\0"):
        generation, _, part = client(Op.DIRECTORY_PART, "/large", str(len(found))).partition("\0")
        generations.add(generation)
        found += part
    assert found.split("\0")[:-2] == names
    client(Op.MKDIR, "/large/another")
    assert client(Op.DIRECTORY_PART, "/large", "0").partition("\0")[0] not in generations
    assert len(generations) == 1


def test_a_directory_part_beyond_the_end() -> None:
    client = Client(new_store())
    assert client(Op.DIRECTORY_PART, "/a", "4000000000").partition("\0")[2] == "\0"


def test_quotas_are_of_the_domain_and_can_be_changed() -> None:
    store = new_store()
    dom0, guest = Client(store), Client(store, 5)
    dom0(Op.SET_QUOTA, "5", "nodes", "5")  # it owns two
    for name in "ab":
        guest.write(name, "")
    assert outcome(lambda: guest.write("c", "")) == "ENOSPC"
    assert outcome(lambda: guest.write("c/d", "")) == "ENOSPC"
    guest(Op.RM, "a")
    guest.write("c", "")
    for number in range(127):
        guest(Op.WATCH, "own", str(number))
    assert outcome(lambda: guest(Op.WATCH, "own", "one more")) == "ENOSPC"
    for _ in range(9):
        guest.begin()
    assert outcome(guest.begin) == "ENOSPC"
    for number in range(300):
        dom0(Op.WATCH, "/a", str(number))
        dom0.begin()


def test_memory_is_limited() -> None:
    store = new_store()
    guest = Client(store, 5)
    Client(store)(Op.SET_QUOTA, "5", "memory", "10000")

    def fill() -> None:
        for number in range(100):
            guest.write(f"x{number}", "x" * 1000)

    assert outcome(fill) == "ENOMEM"
    assert store.tree.memory_of[5] < 10000
    assert len(guest.ls("/local/domain/5")) < 12
    guest(Op.RM, "x0")
    guest.write("y", "x" * 500)
