"""What clients do, asked of a store and of the plain model at once; which store it is, subclasses say."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from pvdrivers.xenstore.wire import Op
from tests.pvdrivers.xenstore.clients import outcome
from tests.pvdrivers.xenstore.model import Conn, Fault, Model, Node

DOMIDS = [0, 0, 5, 6]

clients = st.integers(0, len(DOMIDS) - 1)
#: Which of the open transactions, or none.
transactions = st.sampled_from([-1, -1, 0, 0, 0, 1])
#: Few, so that clients meet; one in ten is odd.
NEAR = ["/a", "/a/b", "/a/b/c", "/a/ab", "/local/domain/5/a", "a", "a/b"]
ODD = ["/", "/e/f/g", "", "/a/", "//a", "/a.b", "@releaseDomain", "/a\n", "/local/domain/5", "/local/domain"]
paths = st.integers(0, 9).flatmap(lambda chance: st.sampled_from(NEAR if chance else ODD))
perms = st.lists(
    st.builds("{}{}".format, st.sampled_from("nrwb"), st.sampled_from([0, 5, 6, 0x7FF5])), min_size=1, max_size=4
)
tokens = st.sampled_from("st")
depths = st.sampled_from([-1, -1, 0, 1, 2])


class Client(Protocol):
    """One client of the store."""

    def raw(self, op: int, payload: bytes, /, *, tx: int = 0) -> str:
        """Send a payload and give the reply's.

        :raises Refused: the reply is an error
        """
        ...

    def begin(self) -> int:
        """Begin a transaction and give its id."""
        ...

    def told(self) -> list[tuple[str, str]]:
        """Give the events since the last time."""
        ...


class Machine(RuleBasedStateMachine):
    """:param clients: of the domains ``DOMIDS``, to a store with these quotas.
    :param domids: what these domains are called there
    :param nodes: what is in it; when that is nothing, it has just begun
    """

    def __init__(
        self,
        clients: Sequence[Client],
        quotas: dict[str, int],
        domids: Sequence[int] = DOMIDS,
        nodes: Mapping[str, Node] | None = None,
    ) -> None:
        super().__init__()
        self.clients = clients
        self.model = Model(domids, quotas)
        if nodes:
            self.model.nodes = {path: node.copy() for path, node in nodes.items()}
        self.called = dict(zip(map(str, DOMIDS), map(str, domids), strict=True))
        # Homes, as a toolstack makes them: one that its domain owns, one that it may only write in; and one for all.
        for home, entries in (("/local/domain/5", ["n5", "r6"]), ("/local/domain/6", ["n0", "b6"]), ("/a", ["b0"])):
            self.mkdir(0, -1, home)
            self.set_perms(0, -1, home, entries)
        # From the start everybody watches, and has a transaction open.
        for who in range(len(DOMIDS)):
            self.watch(who, "/", "all", -1)
            self.begin(who)

    def named(self, word: str) -> str:
        """Call domains, in a path or in an entry of permissions, by their numbers there."""
        return re.sub(r"(?<=[nrwb/])[56](?=/|$)", lambda found: self.called[found[0]], word)

    def transaction(self, who: int, which: int) -> int:
        """Give the id of one of a client's transactions, or 0."""
        numbers = sorted(self.model.conns[who].transactions)
        return numbers[which] if 0 <= which < len(numbers) else 0

    def both(self, who: int, which: int, op: Op, path: str, rest: str, expect: Callable[[Conn, str], str]) -> None:
        """Ask the store and the model for the same, in one of the client's transactions or in none.

        :param path: what the payload begins with
        """
        conn, client = self.model.conns[who], self.clients[who]
        tx = self.transaction(who, which)
        path = self.named(path)
        conn.tx = conn.transactions.get(tx)
        try:
            expected = expect(conn, path)
        except Fault as fault:
            expected = str(fault)
        conn.tx = None
        found = outcome(lambda: client.raw(op, (path + rest).encode(), tx=tx))
        assert found == expected
        for one, theirs in zip(self.model.conns, self.clients, strict=True):
            assert theirs.told() == one.events
            one.events.clear()

    @rule(who=clients, which=transactions, path=paths, value=st.sampled_from(["", "x", "yy"]))
    def write(self, who: int, which: int, path: str, value: str) -> None:
        self.both(who, which, Op.WRITE, path, f"\0{value}", lambda conn, at: self.model.do_write(conn, at, value))

    @rule(who=clients, which=transactions, path=paths)
    def mkdir(self, who: int, which: int, path: str) -> None:
        self.both(who, which, Op.MKDIR, path, "\0", self.model.do_mkdir)

    @rule(who=clients, which=transactions, path=paths)
    def rm(self, who: int, which: int, path: str) -> None:
        self.both(who, which, Op.RM, path, "\0", self.model.do_rm)

    @rule(who=clients, which=transactions, path=paths)
    def read(self, who: int, which: int, path: str) -> None:
        self.both(who, which, Op.READ, path, "\0", self.model.do_read)

    @rule(who=clients, which=transactions, path=paths)
    def directory(self, who: int, which: int, path: str) -> None:
        self.both(who, which, Op.DIRECTORY, path, "\0", self.model.do_directory)

    @rule(who=clients, which=transactions, path=paths)
    def get_perms(self, who: int, which: int, path: str) -> None:
        self.both(who, which, Op.GET_PERMS, path, "\0", self.model.do_get_perms)

    @rule(who=clients, which=transactions, path=paths, entries=perms)
    def set_perms(self, who: int, which: int, path: str, entries: list[str]) -> None:
        words = [self.named(entry) for entry in entries]
        rest = "".join(f"\0{word}" for word in words) + "\0"
        self.both(who, which, Op.SET_PERMS, path, rest, lambda conn, at: self.model.do_set_perms(conn, at, words))

    @rule(who=clients, path=paths, token=tokens, depth=depths)
    def watch(self, who: int, path: str, token: str, depth: int) -> None:
        rest = f"\0{token}\0" + (f"{depth}\0" if depth >= 0 else "")
        self.both(who, -1, Op.WATCH, path, rest, lambda conn, at: self.model.do_watch(conn, at, token, depth))

    @rule(who=clients, path=paths, token=tokens)
    def unwatch(self, who: int, path: str, token: str) -> None:
        self.both(who, -1, Op.UNWATCH, path, f"\0{token}\0", lambda conn, at: self.model.do_unwatch(conn, at, token))

    @rule(who=clients)
    def begin(self, who: int) -> None:
        if len(self.model.conns[who].transactions) < 2:
            self.model.do_transaction_start(self.model.conns[who], self.clients[who].begin())

    @rule(who=clients, which=st.sampled_from([0, 0, 1]), verdict=st.sampled_from("TTTF"))
    def end(self, who: int, which: int, verdict: str) -> None:
        if number := self.transaction(who, which):
            end = self.model.do_transaction_end
            self.both(who, which, Op.TRANSACTION_END, verdict, "\0", lambda conn, _: end(conn, number, verdict))
            self.begin(who)
