"""What a domain may take up. The profile is that of C xenstored on Xen's master branch.

A limit is one more than may be reached, since commit 70fcc2531c: 1000 nodes mean 999. (Xen 4.17 allowed 1000 nodes,
129 watches and 5 entries of permissions.) Domain 0 has none, and a limit of 0 is none either.

Ref: tools/xenstored/domain.c, quota_adm and quotas
"""

from typing import Final

NODES: Final = "nodes"
WATCHES: Final = "watches"
OUTSTANDING: Final = "outstanding"
MEMORY: Final = "memory"
TRANSACTIONS: Final = "transactions"
TRANSACTION_NODES: Final = "transaction-nodes"
PERMISSIONS: Final = "node-permissions"
PATH: Final = "path-max"
NODE_SIZE: Final = "node-size"

SOFT: Final = "soft-"

#: This value and those beyond set no limit.
DISABLED: Final = 0xFFFFFFFF

#: Limits in the order in which they are told. A soft one is kept for clients and enforced by nobody.
PROFILE = {
    NODES: 1000,
    WATCHES: 128,
    OUTSTANDING: 20,
    MEMORY: 2560 << 10,
    SOFT + MEMORY: 2 << 20,
    TRANSACTIONS: 10,
    TRANSACTION_NODES: 1024,
    PERMISSIONS: 5,
    PATH: 2048,
    NODE_SIZE: 2048,
}

MEANINGS = {
    NODES: "Nodes per domain",
    WATCHES: "Watches per domain",
    OUTSTANDING: "Outstanding requests per domain",
    MEMORY: "Total Xenstore memory per domain",
    TRANSACTIONS: "Active transactions per domain",
    TRANSACTION_NODES: "Max. number of accessed nodes per transaction",
    PERMISSIONS: "Max. number of permissions per node",
    PATH: "Max. length of a node path",
    NODE_SIZE: "Max. size of a node",
}
