"""Whatever clients do, the store answers and tells its watchers as the plain model says.

``XENTOOL_FUZZ=100000`` takes so many steps instead of a few thousand, and other ones each time.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.tree import walk
from tests.pvdrivers.xenstore.clients import Client
from tests.pvdrivers.xenstore.machine import DOMIDS, Machine

STEPS = int(os.environ.get("XENTOOL_FUZZ", "4000"))
STEPS_A_RUN = 80

#: So small that they are met.
QUOTAS = {"nodes": 5, "watches": 4, "transaction-nodes": 9, "node-permissions": 4}


class StoreMachine(Machine):
    def __init__(self) -> None:
        self.store = Store()
        self.store.domains.limits.update(QUOTAS)
        for domid in DOMIDS:
            self.store.introduce(domid)
        self.store.publish()
        ours = [Client(self.store, domid) for domid in DOMIDS]
        self.sessions = [client.session for client in ours]
        super().__init__(ours, QUOTAS)

    @invariant()
    def same_nodes(self) -> None:
        found = {
            path.decode(): (
                [f"{'nrwb'[perm.access]}{perm.domid}" for perm in node.perms],
                node.value.decode(),
                node.children.decode().split("\0")[:-1],
            )
            for path, node in walk(self.store.tree)
        }
        assert found == {path: (node.perms, node.value, node.children) for path, node in self.model.nodes.items()}
        assert found.keys() == {path.decode() for path in self.store.tree.nodes}

    @invariant()
    def accounts_add_up(self) -> None:
        tree, conns = self.store.tree, self.model.conns
        owners = [node.owner for node in tree.nodes.values()]
        for domid in set(DOMIDS):
            domain = self.store.domains.known(domid)
            assert tree.nodes_of[domid] == owners.count(domid)
            assert domain.watches == sum(len(conn.watches) for conn in conns if conn.domid == domid)
            assert domain.transactions == sum(len(conn.transactions) for conn in conns if conn.domid == domid)
            assert domain.queued == 0

    def teardown(self) -> None:
        for session in self.sessions:
            self.store.disconnect(session)
        tree = self.store.tree
        assert all(self.store.domains.known(domid).memory == 0 for domid in DOMIDS)
        assert sum(tree.memory_of.values()) == sum(node.size + len(path) for path, node in tree.nodes.items())


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=STEPS // STEPS_A_RUN,
    stateful_step_count=STEPS_A_RUN,
    derandomize="XENTOOL_FUZZ" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
