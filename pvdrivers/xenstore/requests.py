"""What each operation of the protocol does: a table, and a function a row, from arguments to the reply's payload.

Ref: tools/xenstored/core.c, wire_funcs; docs/misc/xenstore.txt
"""

from collections.abc import Callable
from errno import E2BIG, EACCES, EBUSY, EINVAL, ENOENT, ENOSPC, ENOSYS
from typing import NamedTuple

from pvdrivers.xenstore import control, paths, perms, quotas, tree, wire
from pvdrivers.xenstore.domains import DOM0, DOMID_MAX, DOMID_SELF
from pvdrivers.xenstore.errors import StoreError
from pvdrivers.xenstore.perms import DOMID_ANY, READ, VOID, Perm
from pvdrivers.xenstore.session import Session
from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.wire import PAYLOAD_MAX, Feature, Op, Packet

OK = b"OK\0"


class Request(NamedTuple):
    """One request.

    :param view: the tree, or the transaction that the packet names
    """

    store: Store
    session: Session
    view: tree.View
    packet: Packet


def answer(store: Store, session: Session, packet: Packet) -> None:
    """Do what a packet asks for, and queue the reply; whatever it holds, there is one."""
    try:
        operation = OPERATIONS.get(packet.op)
        if operation is None:
            raise StoreError(ENOSYS)
        if operation.privileged and not session.domain.privileged:
            raise StoreError(EACCES)
        view: tree.View = store.tree
        if packet.transaction and operation.transactional:
            if packet.transaction not in session.transactions:
                raise StoreError(ENOENT)
            view = session.transactions[packet.transaction]
        reply = operation.run(Request(store, session, view, packet))
        if reply is not None and len(reply) > PAYLOAD_MAX:
            raise StoreError(E2BIG)
    except StoreError as error:
        session.reply(Op.ERROR, packet, wire.error_name(error.code))
        return
    # A client learns of its own change before it learns that the change is done.
    store.publish()
    if reply is not None:
        session.reply(packet.op, packet, reply)


def _one(request: Request) -> bytes:
    # The payload as one string: exactly one NUL, at its end.
    payload = request.packet.payload
    if not payload or payload.find(b"\0") != len(payload) - 1:
        raise StoreError(EINVAL)
    return payload[:-1]


def _strings(request: Request, least: int, most: int | None = None) -> list[bytes]:
    # The payload as strings, each with a NUL behind; what comes after the last is ignored.
    strings = request.packet.payload.split(b"\0")[:-1]
    if len(strings) < least or (most is not None and len(strings) > most):
        raise StoreError(EINVAL)
    return strings


def _path(request: Request, text: bytes, *, special: bool = False) -> bytes:
    domain = request.session.domain
    path = paths.canonical(text, domain.home, special=special)
    if not domain.privileged and domain.exceeds(quotas.PATH, paths.limited_length(path)):
        raise StoreError(EINVAL)
    return path


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 10:
        raise StoreError(EINVAL)
    return int(text)


def _domid(text: bytes) -> int:
    domid = _number(text)
    if domid > DOMID_MAX:
        raise StoreError(EINVAL)
    return domid


def _directory(request: Request) -> bytes:
    return tree.find(request.view, request.session.domain, _path(request, _one(request)), READ).children


def _directory_part(request: Request) -> bytes:
    # Names from an offset on, as many as go in; one NUL more behind the last of all. The generation tells the client
    # whether it still reads the same list.
    text, offset = _strings(request, 2, 2)
    node = tree.find(request.view, request.session.domain, _path(request, text), READ)
    generation = b"%d\0" % node.generation
    rest = node.children[_number(offset) :]
    room = PAYLOAD_MAX - len(generation) - 1
    if len(rest) <= room:
        return generation + rest + b"\0"
    return generation + rest[: rest.rfind(b"\0", 0, room) + 1]


def _read(request: Request) -> bytes:
    return tree.find(request.view, request.session.domain, _path(request, _one(request)), READ).value


def _write(request: Request) -> bytes:
    text, nul, value = request.packet.payload.partition(b"\0")
    if not nul:
        raise StoreError(EINVAL)
    tree.write(request.view, request.session.domain, _path(request, text), value)
    return OK


def _mkdir(request: Request) -> bytes:
    tree.mkdir(request.view, request.session.domain, _path(request, _one(request)))
    return OK


def _rm(request: Request) -> bytes:
    tree.remove(request.view, request.session.domain, _path(request, _one(request)))
    return OK


def _get_perms(request: Request) -> bytes:
    path = _path(request, _one(request), special=True)
    return perms.formatted(tree.find(request.view, request.session.domain, path, READ).perms)


def _set_perms(request: Request) -> bytes:
    domain = request.session.domain
    text, *entries = _strings(request, 2)
    if domain.exceeds(quotas.PERMISSIONS, len(entries)):
        raise StoreError(ENOSPC)
    owner, *others = (_effective(request, perms.parse(entry)) for entry in entries)
    if owner.access & VOID:
        raise StoreError(ENOENT)
    tree.set_perms(request.view, domain, _path(request, text, special=True), (owner, *others))
    return OK


def _effective(request: Request, perm: Perm) -> Perm:
    named = (
        request.session.domain.features & Feature.DOMID_ANY
        if perm.domid == DOMID_ANY
        else request.store.domains.exists(perm.domid)
    )
    return perm if named else Perm(perm.access | VOID, perm.domid)


def _watch(request: Request) -> None:
    session, store = request.session, request.store
    strings = _strings(request, 2, 3)
    depth = -1
    if len(strings) == 3:
        if not session.domain.features & Feature.WATCHDEPTH:
            raise StoreError(EINVAL)
        depth = _number(strings[2])
    path = _path(request, strings[0], special=True)
    watch = store.watch(session, path, strings[1], depth, len(path) - len(strings[0]))
    session.reply(Op.WATCH, request.packet, OK)
    # Once at first, since what a client watches may have been there before; after the reply, as clients expect.
    store.tell(watch, path)


def _unwatch(request: Request) -> bytes:
    text, token = _strings(request, 2, 2)
    request.store.unwatch(request.session, _path(request, text, special=True), token)
    return OK


def _reset_watches(request: Request) -> bytes:
    request.store.reset(request.session)
    return OK


def _transaction_start(request: Request) -> bytes:
    if request.packet.transaction:
        raise StoreError(EBUSY)
    return b"%d\0" % request.store.open_transaction(request.session)


def _transaction_end(request: Request) -> bytes:
    verdict = _one(request)
    if verdict not in (b"T", b"F"):
        raise StoreError(EINVAL)
    if not request.packet.transaction:
        raise StoreError(ENOENT)
    transaction = request.store.close_transaction(request.session, request.packet.transaction)
    if verdict == b"T":
        transaction.commit()
    return OK


def _introduce(request: Request) -> bytes:
    domid, _page, port, *_ = _strings(request, 3)
    number = _domid(domid)
    if _number(port) == 0:
        raise StoreError(EINVAL)
    request.store.introduce(number)
    return OK


def _release(request: Request) -> bytes:
    request.store.release(_domid(_one(request)))
    return OK


def _resume(request: Request) -> bytes:
    # A domain's shutdown is something that only a hypervisor tells.
    domid = _domid(_one(request))
    if domid == DOM0:
        raise StoreError(EINVAL)
    request.store.domains.introduced(domid)
    return OK


def _set_target(request: Request) -> bytes:
    domid, target, *_ = _strings(request, 2)
    numbers = _domid(domid), _domid(target)
    domain, served = (request.store.domains.introduced(number) for number in numbers)
    domain.target = served.domid
    return OK


def _get_domain_path(request: Request) -> bytes:
    return b"/local/domain/%d\0" % _domid(_one(request))


def _is_domain_introduced(request: Request) -> bytes:
    domid = _domid(_one(request))
    return b"T\0" if domid == DOMID_SELF or request.store.domains.is_introduced(domid) else b"F\0"


def _get_feature(request: Request) -> bytes:
    domain = request.session.domain
    strings = _strings(request, 0)
    if strings:
        if not domain.privileged:
            raise StoreError(EACCES)
        if len(strings) > 1:
            raise StoreError(EINVAL)
        domain = request.store.domains.known(_domid(strings[0]))
    return b"%d\0" % domain.features


def _set_feature(request: Request) -> bytes:
    domid, features = _strings(request, 2, 2)
    request.store.domains.set_features(_domid(domid), _number(features))
    return OK


def _limits(request: Request, of_domain: list[bytes]) -> dict[str, int]:
    # A domain's own limits, or those that a new domain gets.
    domains = request.store.domains
    return domains.known(_domid(of_domain[0])).limits if of_domain else domains.limits


def _get_quota(request: Request) -> bytes:
    strings = _strings(request, 0, 2)
    if not strings:
        return " ".join(quotas.PROFILE).encode() + b"\0"
    *of_domain, name = strings
    limits = _limits(request, of_domain)
    if name.decode("latin-1") not in limits:
        raise StoreError(EINVAL)
    return b"%d\0" % limits[name.decode()]


def _set_quota(request: Request) -> bytes:
    *of_domain, name, value = _strings(request, 2, 3)
    limits = _limits(request, of_domain)
    number = _number(value)
    if name.decode("latin-1") not in limits or number >= quotas.DISABLED:
        raise StoreError(EINVAL)
    limits[name.decode()] = number
    return OK


def _control(request: Request) -> bytes:
    command, *words = _strings(request, 1)
    return control.run(request.store, command, words)


class Operation(NamedTuple):
    """A row of the table.

    :param run: gives the reply's payload, or None when it has replied
    :param privileged: only for domain 0
    :param transactional: whether the packet's transaction id is looked at
    """

    run: Callable[[Request], bytes | None]
    privileged: bool = False
    transactional: bool = True


OPERATIONS: dict[int, Operation] = {
    Op.CONTROL: Operation(_control, privileged=True),
    Op.DIRECTORY: Operation(_directory),
    Op.READ: Operation(_read),
    Op.GET_PERMS: Operation(_get_perms),
    Op.WATCH: Operation(_watch, transactional=False),
    Op.UNWATCH: Operation(_unwatch, transactional=False),
    Op.TRANSACTION_START: Operation(_transaction_start),
    Op.TRANSACTION_END: Operation(_transaction_end),
    Op.INTRODUCE: Operation(_introduce, privileged=True),
    Op.RELEASE: Operation(_release, privileged=True),
    Op.GET_DOMAIN_PATH: Operation(_get_domain_path),
    Op.WRITE: Operation(_write),
    Op.MKDIR: Operation(_mkdir),
    Op.RM: Operation(_rm),
    Op.SET_PERMS: Operation(_set_perms),
    Op.IS_DOMAIN_INTRODUCED: Operation(_is_domain_introduced, privileged=True),
    Op.RESUME: Operation(_resume, privileged=True),
    Op.SET_TARGET: Operation(_set_target, privileged=True),
    Op.RESET_WATCHES: Operation(_reset_watches),
    Op.DIRECTORY_PART: Operation(_directory_part),
    Op.GET_FEATURE: Operation(_get_feature),
    Op.SET_FEATURE: Operation(_set_feature, privileged=True),
    Op.GET_QUOTA: Operation(_get_quota, privileged=True),
    Op.SET_QUOTA: Operation(_set_quota, privileged=True),
}
