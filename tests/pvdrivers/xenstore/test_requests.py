"""Each operation: done, refused for what it was given, refused for who asks."""

import pytest

from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.wire import Op
from tests.pvdrivers.xenstore.clients import Client, outcome

BIG = "x" * 3000

#: op, payload, what domain 0 gets, what domain 5 gets. Each in a new store, in which /a = "v" (n0), /a/b (n0,r5),
#: /local/domain/5 (n5) and /local/domain/5/own = "mine" are.
CASES = [
    (Op.DIRECTORY, "/\0", "tool\0local\0a\0", "EACCES"),
    (Op.DIRECTORY, "/a/b\0", "", ""),
    (Op.DIRECTORY, "own\0", "ENOENT", ""),
    (Op.DIRECTORY, "/", "EINVAL", "EINVAL"),
    (Op.DIRECTORY, "/a\0/a\0", "EINVAL", "EINVAL"),
    (Op.DIRECTORY, "@releaseDomain\0", "EINVAL", "EINVAL"),
    (Op.READ, "/a\0", "v", "EACCES"),
    (Op.READ, "own\0", "ENOENT", "mine"),
    (Op.READ, "/local/domain/5/own\0", "mine", "mine"),
    (Op.READ, "/none\0", "ENOENT", "EACCES"),
    (Op.READ, "/a/b/none\0", "ENOENT", "ENOENT"),
    (Op.READ, "/a//b\0", "EINVAL", "EINVAL"),
    (Op.READ, "/a/\0", "EINVAL", "EINVAL"),
    (Op.READ, "/ä\0", "EINVAL", "EINVAL"),
    (Op.READ, "\0", "EINVAL", "EINVAL"),
    (Op.READ, "", "EINVAL", "EINVAL"),
    (Op.WRITE, "/a\0", "OK\0", "EACCES"),
    (Op.WRITE, "/a/b\0\0\1\xff", "OK\0", "EACCES"),
    (Op.WRITE, "own\0new", "OK\0", "OK\0"),
    (Op.WRITE, "deep/er/still\0x", "OK\0", "OK\0"),
    (Op.WRITE, "/a", "EINVAL", "EINVAL"),
    (Op.WRITE, f"own\0{BIG}", "OK\0", "ENOSPC"),
    (Op.WRITE, f"{BIG}\0", "OK\0", "EINVAL"),
    (Op.MKDIR, "/a\0", "OK\0", "EACCES"),
    (Op.MKDIR, "own\0", "OK\0", "OK\0"),
    (Op.MKDIR, "x/y\0", "OK\0", "OK\0"),
    (Op.MKDIR, "x/y", "EINVAL", "EINVAL"),
    (Op.RM, "/a\0", "OK\0", "EACCES"),
    (Op.RM, "/none\0", "OK\0", "EACCES"),
    (Op.RM, "own/none\0", "ENOENT", "OK\0"),
    (Op.RM, "own/none/none\0", "ENOENT", "ENOENT"),
    (Op.RM, "/none/none\0", "ENOENT", "EACCES"),
    (Op.RM, "/\0", "EINVAL", "EACCES"),
    (Op.GET_PERMS, "/a/b\0", "n0\0r5\0", "n0\0r5\0"),
    (Op.GET_PERMS, "/a\0", "n0\0", "EACCES"),
    (Op.GET_PERMS, "@releaseDomain\0", "n0\0r32757\0", "n0\0r32757\0"),
    (Op.GET_PERMS, "@introduceDomain\0", "n0\0", "EACCES"),
    (Op.GET_PERMS, "@nothing\0", "ENOENT", "EACCES"),
    (Op.SET_PERMS, "/a\0r0\0b5\0", "OK\0", "EACCES"),
    (Op.SET_PERMS, "own\0r5\0w0\0", "ENOENT", "OK\0"),
    (Op.SET_PERMS, "own\0r0\0", "ENOENT", "EPERM"),
    (Op.SET_PERMS, "own\0x5\0", "EINVAL", "EINVAL"),
    (Op.SET_PERMS, "own\0r\0", "EINVAL", "EINVAL"),
    (Op.SET_PERMS, "own\0", "EINVAL", "EINVAL"),
    (Op.SET_PERMS, "own\0r5\0r1\0r2\0r3\0", "ENOENT", "OK\0"),
    (Op.SET_PERMS, "own\0r5\0r1\0r2\0r3\0r4\0", "ENOENT", "ENOSPC"),
    (Op.SET_PERMS, "@releaseDomain\0n0\0r5\0", "OK\0", "EACCES"),
    (Op.WATCH, "/a\0t\0", "OK\0", "OK\0"),
    (Op.WATCH, "/a\0t\0000\0", "OK\0", "OK\0"),
    (Op.WATCH, "/a\0t\0x\0", "EINVAL", "EINVAL"),
    (Op.WATCH, "@releaseDomain\0t\0", "OK\0", "OK\0"),
    (Op.WATCH, "/a\0", "EINVAL", "EINVAL"),
    (Op.WATCH, "/a//\0t\0", "EINVAL", "EINVAL"),
    (Op.UNWATCH, "/a\0t\0", "ENOENT", "ENOENT"),
    (Op.UNWATCH, "/a\0", "EINVAL", "EINVAL"),
    (Op.TRANSACTION_START, "\0", "1\0", "1\0"),
    (Op.TRANSACTION_END, "T\0", "ENOENT", "ENOENT"),
    (Op.TRANSACTION_END, "t\0", "EINVAL", "EINVAL"),
    (Op.INTRODUCE, "7\x001234\x003\0", "OK\0", "EACCES"),
    (Op.INTRODUCE, "7\x001234\x000\0", "EINVAL", "EACCES"),
    (Op.INTRODUCE, "7\x001234\0", "EINVAL", "EACCES"),
    (Op.INTRODUCE, "x\x001234\x003\0", "EINVAL", "EACCES"),
    (Op.INTRODUCE, "32752\x001234\x003\0", "ENOENT", "EACCES"),
    (Op.RELEASE, "5\0", "OK\0", "EACCES"),
    (Op.RELEASE, "6\0", "ENOENT", "EACCES"),
    (Op.RELEASE, "0\0", "EINVAL", "EACCES"),
    (Op.GET_DOMAIN_PATH, "5\0", "/local/domain/5\0", "/local/domain/5\0"),
    (Op.GET_DOMAIN_PATH, "99\0", "/local/domain/99\0", "/local/domain/99\0"),
    (Op.GET_DOMAIN_PATH, "70000\0", "EINVAL", "EINVAL"),
    (Op.GET_DOMAIN_PATH, "-1\0", "EINVAL", "EINVAL"),
    (Op.IS_DOMAIN_INTRODUCED, "5\0", "T\0", "EACCES"),
    (Op.IS_DOMAIN_INTRODUCED, "6\0", "F\0", "EACCES"),
    (Op.IS_DOMAIN_INTRODUCED, "32752\0", "T\0", "EACCES"),
    (Op.RESUME, "5\0", "OK\0", "EACCES"),
    (Op.RESUME, "6\0", "ENOENT", "EACCES"),
    (Op.RESUME, "0\0", "EINVAL", "EACCES"),
    (Op.SET_TARGET, "5\x006\0", "ENOENT", "EACCES"),
    (Op.SET_TARGET, "5\x000\0", "OK\0", "EACCES"),
    (Op.SET_TARGET, "5\0", "EINVAL", "EACCES"),
    (Op.RESET_WATCHES, "\0", "OK\0", "OK\0"),
    (Op.DIRECTORY_PART, "/a\x000\0", "6\0b\0\0", "EACCES"),
    (Op.DIRECTORY_PART, "own\x000\0", "ENOENT", "9\0\0"),
    (Op.DIRECTORY_PART, "/a\0", "EINVAL", "EINVAL"),
    (Op.DIRECTORY_PART, "/a\0x\0", "EINVAL", "EACCES"),
    (Op.GET_FEATURE, "", "14\0", "14\0"),
    (Op.GET_FEATURE, "5\0", "14\0", "EACCES"),
    (Op.SET_FEATURE, "7\x002\0", "OK\0", "EACCES"),
    (Op.SET_FEATURE, "5\x002\0", "EBUSY", "EACCES"),
    (Op.SET_FEATURE, "7\x001\0", "EINVAL", "EACCES"),
    (Op.GET_QUOTA, "nodes\0", "1000\0", "EACCES"),
    (Op.GET_QUOTA, "5\0watches\0", "128\0", "EACCES"),
    (Op.GET_QUOTA, "nonsense\0", "EINVAL", "EACCES"),
    (Op.SET_QUOTA, "5\0watches\x0010\0", "OK\0", "EACCES"),
    (Op.SET_QUOTA, "5\0watches\x004294967295\0", "EINVAL", "EACCES"),
    (Op.CONTROL, "check\0", "OK\0", "EACCES"),
    (Op.CONTROL, "nonsense\0", "EINVAL", "EACCES"),
    (Op.WATCH_EVENT, "/a\0t\0", "ENOSYS", "ENOSYS"),
    (Op.ERROR, "EIO\0", "ENOSYS", "ENOSYS"),
    (20, "", "ENOSYS", "ENOSYS"),
    (27, "", "ENOSYS", "ENOSYS"),
    (0xFFFFFFFF, "", "ENOSYS", "ENOSYS"),
]


def new_store() -> Store:
    store = Store()
    toolstack = Client(store)
    toolstack(Op.INTRODUCE, "5", "1234", "3")
    toolstack.write("/local/domain/5/own", "mine")
    for path in ("/local/domain/5", "/local/domain/5/own"):
        toolstack(Op.SET_PERMS, path, "n5")
    toolstack.write("/a", "v")
    toolstack(Op.MKDIR, "/a/b")
    toolstack(Op.SET_PERMS, "/a/b", "n0", "r5")
    return store


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
