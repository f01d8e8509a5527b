"""What ``xenstore-control`` asks for, as far as it means something here: check, quota, quota-soft, help.

Ref: tools/xenstored/control.c
"""

from collections.abc import Callable
from errno import EINVAL, EIO

from pvdrivers.xenstore import quotas
from pvdrivers.xenstore.errors import StoreError
from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.tree import walk

_OK = b"OK\0"


def run(store: Store, command: bytes, words: list[bytes]) -> bytes:
    """Do one command and give the reply's payload.

    :raises StoreError: EINVAL for what is no command; EIO when the check finds the tree broken
    """
    if command not in _COMMANDS:
        raise StoreError(EINVAL)
    return _COMMANDS[command][0](store, words)


def _check(store: Store, words: list[bytes]) -> bytes:
    if words:
        raise StoreError(EINVAL)
    if {path for path, _ in walk(store.tree)} != store.tree.nodes.keys():
        raise StoreError(EIO)
    return _OK


def _quota(store: Store, words: list[bytes]) -> bytes:
    match words:
        case []:
            return _settings(store, "")
        case [b"set", name, value]:
            return _set(store, "", name, value)
        case [domid] if domid.isdigit():
            return _use(store, int(domid))
    raise StoreError(EINVAL)


def _quota_soft(store: Store, words: list[bytes]) -> bytes:
    match words:
        case []:
            return _settings(store, quotas.SOFT)
        case [b"set", name, value]:
            return _set(store, quotas.SOFT, name, value)
    raise StoreError(EINVAL)


def _settings(store: Store, prefix: str) -> bytes:
    limits = store.domains.limits
    lines = [
        f"{name:<17}: {limits[prefix + name]:8} {meaning}\n"
        for name, meaning in quotas.MEANINGS.items()
        if prefix + name in limits
    ]
    return "".join(["Quota settings:\n", *lines, "\0"]).encode()


def _set(store: Store, prefix: str, name: bytes, value: bytes) -> bytes:
    key = prefix + name.decode("latin-1")
    if key not in store.domains.limits or not value.isdigit() or not 0 < int(value[:10]) < quotas.DISABLED:
        raise StoreError(EINVAL)
    store.domains.limits[key] = int(value)
    return _OK


def _use(store: Store, domid: int) -> bytes:
    domain = store.domains.introduced(domid)
    use = {
        quotas.NODES: store.tree.nodes_of[domid],
        quotas.WATCHES: domain.watches,
        quotas.MEMORY: store.tree.memory_of[domid] + domain.memory,
        quotas.TRANSACTIONS: domain.transactions,
    }
    lines = [f"{name:<17}: {value:8}\n" for name, value in use.items()]
    return "".join([f"Domain {domid}:\n", *lines, "\0"]).encode()


def _help(_store: Store, words: list[bytes]) -> bytes:
    if words:
        raise StoreError(EINVAL)
    return b"".join(b"%-15b %b\n" % (name, words) for name, (_, words) in _COMMANDS.items()) + b"\0"


_COMMANDS: dict[bytes, tuple[Callable[[Store, list[bytes]], bytes], bytes]] = {
    b"check": (_check, b""),
    b"quota": (_quota, b"[set <name> <val>|<domid>]"),
    b"quota-soft": (_quota_soft, b"[set <name> <val>]"),
    b"help": (_help, b""),
}
