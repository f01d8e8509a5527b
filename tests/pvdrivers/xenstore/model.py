"""The plain model that the store is held against: xenstored's source retold, with lists to search and no index.

It says as directly as it can what tools/xenstored/{core,transaction,watch,domain}.c do, function by function, and
shares no code with the store.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

R, W, OWNER = 1, 2, 8
LETTERS = {"n": 0, "r": R, "w": W, "b": R | W}
ANY = 0x7FF5


class Fault(Exception):
    """An error, by name."""


@dataclass
class Node:
    version: int
    perms: list[str]
    value: str
    children: list[str]

    def copy(self) -> "Node":
        return replace(self, perms=list(self.perms), children=list(self.children))


@dataclass
class Accessed:
    path: str
    version: int | None = None
    old_perms: list[str] | None = None
    node: Node | None = None
    modified: bool = False
    fire: str | None = None


@dataclass
class Transaction:
    accessed: list[Accessed] = field(default_factory=list)
    created: bool = False
    fail: bool = False
    changed_owner: dict[int, int] = field(default_factory=dict)


@dataclass
class Conn:
    domid: int
    watches: list[tuple[str, str, int, int]] = field(default_factory=list)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    #: The one that the request at hand names.
    tx: Transaction | None = None

    @property
    def privileged(self) -> bool:
        return self.domid == 0


def parent_of(path: str) -> str:
    head, slash, _ = path[1:].rpartition("/")
    return path[0] + head if slash else "/"


def is_child(child: str, parent: str, depth: int) -> bool:
    if child == parent:
        return True
    if not child.startswith(parent) or (parent != "/" and child[len(parent)] != "/"):
        return False
    below = child[len(parent) :].strip("/").split("/")
    return depth < 0 or len(below) <= depth


class Model:
    """The store."""

    def __init__(self, domids: Sequence[int], quotas: dict[str, int]) -> None:
        self.version = 5
        self.nodes: dict[str, Node] = {
            "/": Node(0, ["n0"], "", ["tool"]),
            "/tool": Node(1, ["n0"], "", ["xenstored"]),
            "/tool/xenstored": Node(2, ["n0"], "", []),
            "@releaseDomain": Node(3, ["n0", f"r{ANY}"], "", []),
            "@introduceDomain": Node(4, ["n0"], "", []),
        }
        self.conns = [Conn(domid) for domid in domids]
        self.quotas = quotas

    # -- perm_for_conn(), domain_quota_val_exceeds()

    def exceeds(self, conn: Conn, quota: str, value: int) -> bool:
        return not conn.privileged and value >= self.quotas[quota]

    @staticmethod
    def allowed(conn: Conn, perms: list[str]) -> int:
        if conn.privileged or int(perms[0][1:]) in (conn.domid, ANY):
            return R | W | OWNER
        for perm in perms[1:]:
            if int(perm[1:]) in (conn.domid, ANY):
                return LETTERS[perm[0]]
        return LETTERS[perms[0][0]]

    # -- access_node()

    def find(self, conn: Conn, path: str) -> Accessed | None:
        assert conn.tx is not None
        return next((one for one in conn.tx.accessed if one.path == path), None)

    def read(self, conn: Conn, path: str) -> Node | None:
        node = self.nodes.get(path)
        if conn.tx is None:
            return node
        entry = self.find(conn, path)
        if entry is None:
            if self.exceeds(conn, "transaction-nodes", len(conn.tx.accessed) + 1):
                conn.tx.fail = True
                raise Fault("ENOSPC")
            entry = Accessed(path)
            if node is not None:
                entry = Accessed(path, node.version, list(node.perms), node.copy())
            conn.tx.accessed.append(entry)
        return entry.node

    def store(self, conn: Conn, path: str, node: Node | None) -> None:
        self.version += 1
        if node is not None:
            node.version = self.version
        if conn.tx is None:
            if node is None:
                del self.nodes[path]
            else:
                self.nodes[path] = node
            return
        entry = self.find(conn, path)
        assert entry is not None
        entry.node = node
        entry.modified = True

    # -- get_node(), errno_from_parents()

    def get(self, conn: Conn, path: str, want: int) -> Node:
        node = self.read(conn, path)
        if node is not None and self.allowed(conn, node.perms) & want == want:
            return node
        above: Node | None = None
        at = path
        while above is None:
            at = parent_of(at)
            above = self.read(conn, at)
        if node is None and self.allowed(conn, above.perms) & want:
            raise Fault("ENOENT")
        raise Fault("EACCES")

    # -- fire_watches()

    def fire(self, conn: Conn, path: str, match: str, node: Node | None, old: list[str] | None) -> None:
        if conn.tx is not None:
            entry = self.find(conn, path)
            assert entry is not None
            if entry.fire != "subtree":
                entry.fire = match
            return
        for other in self.conns:
            if self.watch_permitted(other, path, node, old):
                for at, token, depth, skip in other.watches:
                    if (path == at) if match == "exact" else is_child(path, at, depth):
                        self.send(other, path[skip:], token)

    def watch_permitted(self, other: Conn, path: str, node: Node | None, old: list[str] | None) -> bool:
        if old is not None and self.allowed(other, old) & R:
            return True
        node = node or self.nodes.get(path)
        if node is None:
            return False
        if self.allowed(other, node.perms) & R:
            return True
        above = self.nodes.get(parent_of(path))
        return above is not None and bool(self.allowed(other, above.perms) & R)

    @staticmethod
    def send(conn: Conn, path: str, token: str) -> None:
        if (path, token) not in conn.events:
            conn.events.append((path, token))

    # -- the operations

    def canonical(self, conn: Conn, path: str, *, special: bool = False) -> str:
        if not re.fullmatch(r"[A-Za-z0-9/@_-]*", path) or (path.startswith("@") and not special):
            raise Fault("EINVAL")
        if not path.startswith(("/", "@")):
            path = f"/local/domain/{conn.domid}/{path}"
        if (path.endswith("/") and path != "/") or "//" in path:
            raise Fault("EINVAL")
        return path

    def create(self, conn: Conn, path: str, value: str) -> Node:
        names = []
        at = path
        above: Node | None = None
        while above is None:
            names.append(at)
            at = parent_of(at)
            above = self.read(conn, at)
        perms = list(above.perms)
        if not conn.privileged:
            perms[0] = f"{perms[0][0]}{conn.domid}"
            owned = sum(int(node.perms[0][1:]) == conn.domid for node in self.nodes.values())
            if self.exceeds(conn, "nodes", owned + 1):
                raise Fault("ENOSPC")
        if conn.tx is not None:
            conn.tx.created = True
        for index, name in enumerate(names):
            below = [names[index - 1].rpartition("/")[2]] if index else []
            self.store(conn, name, Node(0, list(perms), "" if index else value, below))
            self.count(conn, perms, 1)
        grown = above.copy()
        grown.children.append(names[-1].rpartition("/")[2])
        self.store(conn, at, grown)
        made = self.read(conn, path)
        assert made is not None
        return made

    def count(self, conn: Conn, perms: list[str], more: int) -> None:
        if conn.tx is not None:
            owner = int(perms[0][1:])
            conn.tx.changed_owner[owner] = conn.tx.changed_owner.get(owner, 0) + more

    def do_write(self, conn: Conn, path: str, value: str) -> str:
        path = self.canonical(conn, path)
        try:
            node = self.get(conn, path, W).copy()
            node.value = value
            self.store(conn, path, node)
        except Fault as fault:
            if str(fault) != "ENOENT":
                raise
            node = self.create(conn, path, value)
        self.fire(conn, path, "subtree", node, None)
        return "OK\0"

    def do_mkdir(self, conn: Conn, path: str) -> str:
        path = self.canonical(conn, path)
        try:
            self.get(conn, path, W)
        except Fault as fault:
            if str(fault) != "ENOENT":
                raise
            self.fire(conn, path, "subtree", self.create(conn, path, ""), None)
        return "OK\0"

    def do_rm(self, conn: Conn, path: str) -> str:
        path = self.canonical(conn, path)
        try:
            self.get(conn, path, W)
        except Fault as fault:
            if str(fault) == "ENOENT" and self.read(conn, parent_of(path)) is not None:
                return "OK\0"
            raise
        if path == "/":
            raise Fault("EINVAL")
        above = self.read(conn, parent_of(path))
        if above is None:
            raise Fault("EINVAL")
        self.delete(conn, path, path)
        above = above.copy()
        # A child born after the transaction saw its parent: xenstored says EIO, and this store goes on to EAGAIN.
        with suppress(ValueError):
            above.children.remove(path.rpartition("/")[2])
        self.store(conn, parent_of(path), above)
        return "OK\0"

    def delete(self, conn: Conn, path: str, root: str) -> None:
        node = self.read(conn, path)
        if node is None:  # gone after the transaction saw its parent
            return
        for child in node.children:
            self.delete(conn, f"{path}/{child}", root)
        self.count(conn, node.perms, -1)
        self.fire(conn, path, "subtree" if path == root else "exact", node, None)
        self.store(conn, path, None)

    def do_set_perms(self, conn: Conn, path: str, perms: list[str]) -> str:
        if self.exceeds(conn, "node-permissions", len(perms)):
            raise Fault("ENOSPC")
        path = self.canonical(conn, path, special=True)
        node = self.get(conn, path, W | OWNER).copy()
        if not conn.privileged and int(perms[0][1:]) != int(node.perms[0][1:]):
            raise Fault("EPERM")
        old = node.perms
        self.count(conn, old, -1)
        self.count(conn, perms, 1)
        node.perms = list(perms)
        self.store(conn, path, node)
        self.fire(conn, path, "subtree", node, old)
        return "OK\0"

    def do_read(self, conn: Conn, path: str) -> str:
        return self.get(conn, self.canonical(conn, path), R).value

    def do_directory(self, conn: Conn, path: str) -> str:
        return "".join(f"{name}\0" for name in self.get(conn, self.canonical(conn, path), R).children)

    def do_get_perms(self, conn: Conn, path: str) -> str:
        return "".join(f"{perm}\0" for perm in self.get(conn, self.canonical(conn, path, special=True), R).perms)

    def do_watch(self, conn: Conn, path: str, token: str, depth: int) -> str:
        at = self.canonical(conn, path, special=True)
        if any((at, token) == watch[:2] for watch in conn.watches):
            raise Fault("EEXIST")
        watched = sum(len(other.watches) for other in self.conns if other.domid == conn.domid)
        if self.exceeds(conn, "watches", watched + 1):
            raise Fault("ENOSPC")
        conn.watches.append((at, token, depth, len(at) - len(path)))
        self.send(conn, path, token)
        return "OK\0"

    def do_unwatch(self, conn: Conn, path: str, token: str) -> str:
        at = self.canonical(conn, path, special=True)
        for watch in conn.watches:
            if watch[:2] == (at, token):
                conn.watches.remove(watch)
                return "OK\0"
        raise Fault("ENOENT")

    @staticmethod
    def do_transaction_start(conn: Conn, number: int) -> None:
        """Begin a transaction by the id that the store chose."""
        assert number > 0
        assert number not in conn.transactions
        conn.transactions[number] = Transaction()

    def do_transaction_end(self, conn: Conn, number: int, verdict: str) -> str:
        trans = conn.transactions.pop(number)
        conn.tx = None
        if verdict == "F":
            return "OK\0"
        if trans.fail:
            raise Fault("ENOMEM")
        if trans.created and not conn.privileged:
            for owner, more in trans.changed_owner.items():
                owned = sum(int(node.perms[0][1:]) == owner for node in self.nodes.values())
                if owner and more >= 0 and owned + more >= self.quotas["nodes"]:
                    raise Fault("ENOSPC")
        for entry in trans.accessed:
            now = self.nodes.get(entry.path)
            if (now and now.version) != entry.version:
                raise Fault("EAGAIN")
        for entry in trans.accessed:
            if not entry.modified:
                continue
            if entry.node is not None:
                self.version += 1
                entry.node.version = self.version
                self.nodes[entry.path] = entry.node
            elif entry.version is not None:
                del self.nodes[entry.path]
            if entry.fire:
                self.fire(conn, entry.path, entry.fire, None, entry.old_perms)
        return "OK\0"
