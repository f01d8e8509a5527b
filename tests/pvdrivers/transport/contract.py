"""What every transport does: cases are functions of two ends, run on the loopback here, and on Xen in the lab's dom0.

Nothing is needed but the package, since dom0 has no pytest: `python3 contract.py` runs all cases there, with dom0 as
both ends.

No case asks for what the loopback does not emulate, which is said in `pvdrivers.transport.loopback`.
"""

import os
import select
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pvdrivers.abi.blkif import X86_64
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.errors import DriverError, NotGranted, NotOffered
from pvdrivers.ring import Back, Front
from pvdrivers.transport.base import PIECE, Channel, Piece, Transport
from pvdrivers.xenstore.client.client import join

#: No domain granted this, or offers it.
NOBODYS_GREF = 0x00FF_FFFF
NOBODYS_PORT = 4000
NO_DOMAIN = 0x7000


class Ends(NamedTuple):
    """Two transports, whose domains may be the same."""

    front: Transport
    back: Transport
    #: A domain that is neither.
    stranger: int
    #: Makes another transport of the frontend's domain, to be closed.
    another: Callable[[], Transport]


@contextmanager
def raises(kind: type[Exception], part: str = "") -> Iterator[None]:
    # In pytest's stead, which dom0 lacks.
    said = None
    try:
        yield
    except kind as error:
        said = str(error)
    assert said is not None, f"no {kind.__name__}"
    assert part in said, said


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def quiet(bound: Channel) -> None:
    """Take what a channel that has just been bound may have for no cause; on Xen that takes its time."""
    if bound.wait(2):
        bound.unmask()


def joined(ends: Ends) -> tuple[Channel, Channel]:
    front = ends.front.alloc_unbound(ends.back.domid)
    back = ends.back.bind_interdomain(ends.front.domid, front.port)
    quiet(back)
    return front, back


def readable(channel: Channel, timeout: float = 0) -> bool:
    return bool(select.select([channel.fileno()], [], [], timeout)[0])


def case_a_grant_is_blank_memory(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid, 5)
    assert len(set(granted.grefs)) == 5
    assert bytes(granted.memory) == bytes(5 * PAGE_SIZE)
    granted.memory[PAGE_SIZE - 1 : PAGE_SIZE + 1] = b"ab"
    assert bytes(granted.memory[PAGE_SIZE - 1 : PAGE_SIZE + 1]) == b"ab"
    other = ends.front.grant(ends.back.domid)
    assert other.grefs[0] not in granted.grefs
    granted.revoke()
    other.revoke()


def case_pages_are_mapped_in_the_order_asked_for(ends: Ends) -> None:
    granted, single = ends.front.grant(ends.back.domid, 3), ends.front.grant(ends.back.domid)
    for page in range(3):
        granted.memory[page * PAGE_SIZE] = 10 + page
    single.memory[0] = 99
    mapped = ends.back.map(ends.front.domid, [granted.grefs[2], single.grefs[0], granted.grefs[0], granted.grefs[1]])
    assert len(mapped.memory) == 4 * PAGE_SIZE
    assert [mapped.memory[page * PAGE_SIZE] for page in range(4)] == [12, 99, 10, 11]
    mapped.memory[3 * PAGE_SIZE - 1] = 7
    assert granted.memory[PAGE_SIZE - 1] == 7
    granted.memory[PAGE_SIZE - 1] = 8
    assert mapped.memory[3 * PAGE_SIZE - 1] == 8
    mapped.unmap()
    granted.revoke()
    single.revoke()


def case_a_page_can_be_mapped_twice_and_again(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid)
    twice = [ends.back.map(ends.front.domid, granted.grefs) for _ in range(2)]
    twice[0].memory[0] = 5
    assert twice[1].memory[0] == 5
    twice[0].unmap()
    assert twice[1].memory[0] == 5
    twice[1].unmap()
    again = ends.back.map(ends.front.domid, granted.grefs)
    assert again.memory[0] == 5
    again.unmap()
    granted.revoke()


def case_many_pages(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid, 300)
    for page in range(300):
        granted.memory[page * PAGE_SIZE] = page & 0xFF
    mapped = ends.back.map(ends.front.domid, granted.grefs[::-1])
    assert [mapped.memory[page * PAGE_SIZE] for page in range(300)] == [page & 0xFF for page in range(299, -1, -1)]
    mapped.unmap()
    granted.revoke()


def case_a_grant_for_reading_is_not_for_writing(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid, writable=False)
    granted.memory[:5] = b"hello"
    mapped = ends.back.map(ends.front.domid, granted.grefs, writable=False)
    assert bytes(mapped.memory[:5]) == b"hello"
    assert mapped.memory.readonly
    mapped.unmap()
    with raises(NotGranted, str(granted.grefs[0])):
        ends.back.map(ends.front.domid, granted.grefs)
    here = memoryview(bytearray(b"wrong"))
    assert ends.back.copy_to(ends.front.domid, [Piece(granted.grefs[0], 0, 0, 5)], here)[0] < 0
    assert ends.back.copy_from(ends.front.domid, [Piece(granted.grefs[0], 0, 0, 5)], here) == [0]
    assert (bytes(granted.memory[:5]), bytes(here)) == (b"hello", b"hello")
    granted.revoke()


def case_a_grant_for_writing_can_be_mapped_for_reading(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid)
    mapped = ends.back.map(ends.front.domid, granted.grefs, writable=False)
    assert mapped.memory.readonly
    mapped.unmap()
    granted.revoke()


def case_what_was_not_granted_is_not_mapped(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid)
    with raises(NotGranted, str(NOBODYS_GREF)):
        ends.back.map(ends.front.domid, [NOBODYS_GREF])
    with raises(NotGranted):
        ends.back.map(ends.front.domid, [granted.grefs[0], NOBODYS_GREF])
    # All or none: what could have been mapped is free to go.
    granted.revoke()
    with raises(NotGranted):
        ends.back.map(ends.front.domid, granted.grefs)


def case_what_was_granted_to_another_is_not_mapped(ends: Ends) -> None:
    granted = ends.front.grant(ends.stranger)
    here = memoryview(bytearray(8))
    with raises(NotGranted):
        ends.back.map(ends.front.domid, granted.grefs)
    with raises(NotGranted):
        ends.back.map(NO_DOMAIN, granted.grefs)
    assert ends.back.copy_from(NO_DOMAIN, [Piece(granted.grefs[0], 0, 0, 8)], here)[0] < 0
    assert ends.back.copy_from(ends.front.domid, [Piece(granted.grefs[0], 0, 0, 8)], here)[0] < 0
    granted.revoke()


def case_what_is_mapped_outlives_its_grant(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid)
    grefs = list(granted.grefs)
    granted.memory[:4] = b"kept"
    mapped = ends.back.map(ends.front.domid, grefs)
    granted.revoke()
    others = [ends.front.grant(ends.back.domid) for _ in range(20)]
    for other in others:
        other.memory[:4] = b"lost"
    assert bytes(mapped.memory[:4]) == b"kept"
    mapped.memory[:4] = b"mine"
    assert all(bytes(other.memory[:4]) == b"lost" for other in others)
    mapped.unmap()
    for other in others:
        other.revoke()


def case_nothing_is_taken_away_while_it_is_used(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid)
    mapped = ends.back.map(ends.front.domid, granted.grefs)
    front, back = Front(granted.memory, X86_64.ring), Back(mapped.memory, X86_64.ring)
    part = mapped.memory[:10]
    with raises(BufferError):
        mapped.unmap()
    back.release()
    with raises(BufferError):
        mapped.unmap()
    assert len(mapped.memory) == PAGE_SIZE
    part.release()
    mapped.unmap()
    with raises(BufferError):
        granted.revoke()
    front.release()
    granted.revoke()
    # Once is enough, and twice no harm.
    granted.revoke()
    mapped.unmap()


def case_copies(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid, 2)
    granted.memory[:4] = b"head"
    granted.memory[2 * PAGE_SIZE - 4 :] = b"tail"
    first, second = granted.grefs
    here = memoryview(bytearray(b"." * 16))
    pieces = [
        Piece(first, 0, 2, 4),
        Piece(NOBODYS_GREF, 0, 6, 4),
        Piece(second, PAGE_SIZE - 4, 10, 5),
        Piece(second, PAGE_SIZE - 4, 10, 4),
        Piece(first, PAGE_SIZE, 0, 0),
    ]
    statuses = ends.back.copy_from(ends.front.domid, pieces, here)
    assert [status == 0 for status in statuses] == [True, False, False, True, True], statuses
    assert bytes(here) == b"..head....tail.."
    assert ends.back.copy_to(ends.front.domid, [Piece(second, 1, 10, 4), Piece(first, 100, 2, 3)], here) == [0, 0]
    assert bytes(granted.memory[PAGE_SIZE : PAGE_SIZE + 6]) == b"\0tail\0"
    assert bytes(granted.memory[99:104]) == b"\0hea\0"
    granted.revoke()
    assert ends.back.copy_from(ends.front.domid, [Piece(first, 0, 0, 4)], here)[0] < 0
    assert ends.back.copy_to(ends.front.domid, [Piece(first, 0, 0, 4)], here)[0] < 0


def case_many_copies_at_once(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid, 4)
    data = os.urandom(4 * PAGE_SIZE)
    granted.memory[:] = data
    here = memoryview(bytearray(4 * PAGE_SIZE))
    step = 64
    pieces = [Piece(granted.grefs[at // PAGE_SIZE], at % PAGE_SIZE, at, step) for at in range(0, 4 * PAGE_SIZE, step)]
    assert set(ends.back.copy_from(ends.front.domid, pieces, here)) == {0}
    assert bytes(here) == data
    granted.revoke()


def case_pieces_may_be_packed(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid, 2)
    granted.memory[:4] = b"head"
    first, second = granted.grefs
    here = memoryview(bytearray(b"." * 16))
    pieces = [(first, 0, 4, 2), (NOBODYS_GREF, 0, 4, 6), (second, PAGE_SIZE - 4, 5, 10), (second, 0xFFFF, 0xFFFF, 0)]
    # The last would end in the page behind, which is granted as well.
    pieces += [(second, PAGE_SIZE - 4, 4, 10), (first, PAGE_SIZE, 0, 0), (first, PAGE_SIZE - 4, 5, 10)]
    batch = memoryview(bytearray().join(PIECE.pack(*piece, 77) for piece in pieces))
    with raises(ValueError):
        ends.back.copy(ends.front.domid, batch, here, into_peer=False)
    batch[3 * PIECE.size : 4 * PIECE.size] = PIECE.pack(second, 0xFFFF, 9, 0, 77)
    ends.back.copy(ends.front.domid, batch, here, into_peer=False)
    statuses = [status for *_, status in PIECE.iter_unpack(batch)]
    assert [status == 0 for status in statuses] == [True, False, False, False, True, True, False], statuses
    assert bytes(here) == b"..head....\0\0\0\0.."
    ends.back.copy(ends.front.domid, batch[: PIECE.size], here, into_peer=True)
    assert bytes(granted.memory[:6]) == b"head\0\0"
    granted.revoke()
    ends.back.copy(ends.front.domid, batch[: PIECE.size], here, into_peer=True)
    assert PIECE.unpack(batch[: PIECE.size])[-1] < 0


def case_a_copy_stays_within_local_memory(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid)
    here = memoryview(bytearray(16))
    for place, length in ((15, 2), (16, 1), (-1, 2)):
        with raises(ValueError):
            ends.back.copy_from(ends.front.domid, [Piece(granted.grefs[0], 0, place, length)], here)
    granted.revoke()


def case_a_notification_arrives(ends: Ends) -> None:
    front, back = joined(ends)
    for to, source in ((front, back), (back, front)):
        assert not readable(to)
        assert not to.take()
        assert not to.wait(0.01)
        source.notify()
        assert readable(to, 60)
        assert to.take()
        to.unmask()
        assert not to.take()
        source.notify()
        assert to.wait(600)
        to.unmask()
    front.close()
    back.close()


def case_notifications_are_not_counted(ends: Ends) -> None:
    front, back = joined(ends)
    for _ in range(5):
        front.notify()
    assert back.wait(600)
    assert not back.take()
    back.unmask()
    # Linux masks a channel when the first arrives, before anybody takes it: the others are a second, which may be late.
    heard = 1
    while back.wait(0.05):
        back.unmask()
        heard += 1
    assert heard <= 2
    front.close()
    back.close()


def case_a_masked_channel_keeps_one_for_later(ends: Ends) -> None:
    front, back = joined(ends)
    front.notify()
    assert back.wait(600)
    front.notify()
    time.sleep(0.01)
    assert not back.take()
    with raises(ValueError, "mask"):
        back.wait(1)
    back.unmask()
    assert back.wait(600)
    back.unmask()
    assert not back.wait(0.05)
    front.close()
    back.close()


def case_channels_do_not_hear_each_other(ends: Ends) -> None:
    (front, back), (other_front, other_back) = joined(ends), joined(ends)
    assert len({front.port, other_front.port}) == 2
    front.notify()
    assert back.wait(600)
    assert not other_back.wait(0.05)
    for each in (front, back, other_front, other_back):
        each.close()


def case_who_is_gone_can_be_notified_and_comes_back(ends: Ends) -> None:
    front = ends.front.alloc_unbound(ends.back.domid)
    front.notify()
    back = ends.back.bind_interdomain(ends.front.domid, front.port)
    back.close()
    front.notify()
    # A backend that has been started again.
    back = ends.back.bind_interdomain(ends.front.domid, front.port)
    quiet(back)
    front.notify()
    assert back.wait(600)
    back.notify()
    assert front.wait(600)
    front.close()
    back.notify()
    back.close()


def case_only_what_is_offered_is_bound(ends: Ends) -> None:
    with raises(NotOffered, str(NOBODYS_PORT)):
        ends.back.bind_interdomain(ends.front.domid, NOBODYS_PORT)
    front, back = joined(ends)
    with raises(NotOffered):
        ends.back.bind_interdomain(ends.front.domid, front.port)
    port = front.port
    front.close()
    back.close()
    with raises(NotOffered):
        ends.back.bind_interdomain(ends.front.domid, port)
    strangers = ends.front.alloc_unbound(ends.stranger)
    with raises(NotOffered):
        ends.back.bind_interdomain(ends.front.domid, strangers.port)
    strangers.close()
    strangers.close()


def case_a_ring_of_16_pages_with_notifications(ends: Ends) -> None:
    granted = ends.front.grant(ends.back.domid, 16)
    mapped = ends.back.map(ends.front.domid, granted.grefs)
    front_channel, back_channel = joined(ends)
    kind = X86_64.ring
    front, back = Front(granted.memory, kind), Back(mapped.memory, kind)
    sent = [bytes([number & 0xFF]) * kind.request.size for number in range(front.size)]
    front.put(b"".join(sent))
    if front.push():
        front_channel.notify()
    assert back_channel.wait(600)
    assert back.take() == b"".join(sent)
    back_channel.unmask()
    assert not front.final_check()
    back.put(b"".join(each[: kind.response.size] for each in sent))
    if back.push():
        back_channel.notify()
    assert front_channel.wait(600)
    assert front.take() == b"".join(each[: kind.response.size] for each in sent)
    front_channel.unmask()
    for each in (front, back):
        each.release()
    mapped.unmap()
    granted.revoke()
    front_channel.close()
    back_channel.close()


def case_the_store_is_shared(ends: Ends) -> None:
    node = join(ends.front.store.domain_path(ends.front.domid), "data/contract")
    ends.front.store.write(node, b"ring-ref")
    if ends.front.domid != ends.back.domid:
        ends.front.store.set_permissions(node, [f"n{ends.front.domid}", f"r{ends.back.domid}"])
    with ends.back.store.watch(node) as watch:
        assert watch.next(600) == node
        ends.front.store.write(node, b"again")
        assert watch.next(600) == node
    assert ends.back.store.read(node) == b"again"
    ends.front.store.remove(node)


def case_closing_gives_all_back(ends: Ends) -> None:
    # Both are certainly connected by then.
    ends.front.grant(ends.back.domid).revoke()
    ends.back.grant(ends.front.domid).revoke()
    before = descriptors()
    front = ends.another()
    granted = front.grant(ends.back.domid, 2)
    grefs = list(granted.grefs)
    port = front.alloc_unbound(ends.back.domid).port
    kept = granted.memory[:10]
    front.close()
    kept.release()
    del granted
    # The other side takes note of it in its own time.
    deadline = time.monotonic() + 60
    while descriptors() > before:
        assert time.monotonic() < deadline
    with raises(NotGranted):
        ends.back.map(ends.front.domid, grefs)
    with raises(NotOffered):
        ends.back.bind_interdomain(ends.front.domid, port)


CASES: list[Callable[[Ends], None]] = [case for name, case in list(globals().items()) if name.startswith("case_")]


def run_on_xen() -> int:
    """Run all cases in this domain, with itself as its peer; a line for each, as TAP has it."""
    from pvdrivers.transport.xen import Xen  # noqa: PLC0415 - not needed elsewhere

    failed = 0
    print(f"1..{len(CASES)}")
    for number, case in enumerate(CASES, 1):
        with Xen() as front, Xen() as back:
            try:
                # Domain 1's number, or that of a domain there is not: both are no peers of dom0 here.
                case(Ends(front, back, front.domid + 1, Xen))
            except (AssertionError, DriverError, ValueError, OSError, BufferError):
                failed += 1
                print(f"not ok {number} - {case.__name__}")
                print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            else:
                print(f"ok {number} - {case.__name__}")
    return failed


if __name__ == "__main__":
    sys.exit(run_on_xen())
