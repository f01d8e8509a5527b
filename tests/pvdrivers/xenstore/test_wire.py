"""Bytes and packets: cut anywhere, damaged anyhow.

``XENTOOL_FUZZ=1000000`` sends so many damaged packets instead of a few thousand, and other ones each time.
"""

import os
import random
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.wire import ERRORS, HEADER, PAYLOAD_MAX, BadPacket, Op, Packet, Parser, encode, error_name
from tests.pvdrivers.xenstore.cases import CASES, new_store
from tests.pvdrivers.xenstore.clients import Client

FRAMES = int(os.environ.get("XENTOOL_FUZZ", "20000"))

packets = st.builds(
    Packet, st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=60)
)


@given(st.lists(packets, max_size=6), st.randoms(use_true_random=False))
def test_packets_come_out_however_the_stream_is_cut(sent: list[Packet], chance: random.Random) -> None:
    data = b"".join(encode(*packet) for packet in sent)
    parser, found = Parser(), []
    while data:
        size = chance.randint(1, len(data))
        parser.feed(data[:size])
        data = data[size:]
        while packet := parser.next():
            found.append(packet)
    assert found == sent
    assert parser.next() is None


def test_the_largest_packet_and_one_more() -> None:
    parser = Parser()
    parser.feed(encode(Op.WRITE, 1, 2, b"x" * PAYLOAD_MAX))
    assert parser.next() == (Op.WRITE, 1, 2, b"x" * PAYLOAD_MAX)
    parser.feed(HEADER.pack(Op.WRITE, 1, 2, PAYLOAD_MAX + 1))
    # As soon as the header is there: what it announces is not waited for.
    with pytest.raises(BadPacket, match="4097 bytes; 4096 are allowed"):
        parser.next()


def test_error_names() -> None:
    assert {error_name(code) for code in range(200)} == {name.encode() + b"\0" for name in ERRORS}
    assert error_name(13) == b"EACCES\0"
    assert error_name(110) == b"EINVAL\0"


def damaged(chance: random.Random, corpus: list[bytes]) -> bytes:
    frame = bytearray(chance.choice(corpus))
    match chance.randrange(6):
        case 0:  # a bit
            at = chance.randrange(len(frame))
            frame[at] ^= 1 << chance.randrange(8)
        case 1:  # a field of the header
            struct.pack_into("=I", frame, 4 * chance.randrange(4), chance.choice([0, 1, 20, 4096, 4097, 0xFFFFFFFF]))
        case 2:  # cut
            del frame[chance.randrange(len(frame)) :]
        case 3:  # more of it, and the length says so
            frame += chance.randbytes(chance.randrange(300))
            struct.pack_into("=I", frame, 12, len(frame) - HEADER.size)
        case 4:  # another operation, on what was meant for this one
            struct.pack_into("=I", frame, 0, chance.randrange(30))
        case 5:  # in a transaction that there may be
            struct.pack_into("=I", frame, 8, chance.randrange(4))
    return bytes(frame)


def test_whatever_comes_the_store_stands() -> None:
    seed = random.randrange(1 << 32) if "XENTOOL_FUZZ" in os.environ else 1  # noqa: S311 - test data
    print("seed", seed)
    chance = random.Random(seed)  # noqa: S311 - test data
    corpus = [encode(op, 1, 0, payload.encode("latin-1")) for op, payload, _, _ in CASES]
    store = new_store()
    watcher = Client(store)
    watcher(Op.WATCH, "/", "w")
    senders = [Client(store, domid) for domid in (0, 5)]
    answered = grown = 0
    before = resident()
    for number in range(FRAMES):
        which = chance.randrange(2)
        client = senders[which]
        client.connection.feed(damaged(chance, corpus))
        with suppress(BadPacket):
            client.connection.run()
            answered += client.session.take(1 << 20) != b""
            if chance.random() < 0.99 and not client.session.closed:
                continue
        # The server ends a connection that has sent what is no packet; another comes.
        store.disconnect(client.session)
        if not store.domains.is_introduced(5):
            store.introduce(5)
        senders[which] = Client(store, 5 * which)
        grown = max(grown, resident() - before)
        if number % 1000 < 5:
            sound(store, watcher)
    sound(store, watcher)
    for client in senders:
        store.disconnect(client.session)
    assert sum(domain.held for domain in map(store.domains.known, (0, 5))) == len("/w")
    assert answered > FRAMES // 3
    # Some 100 paths, and what is damaged of them.
    assert len(store.tree.nodes) < 1000 + FRAMES // 50
    # Not the process's peak, which is that of all tests before this one.
    assert grown < 512 << 20


def resident() -> int:
    """Give this process's memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sound(store: Store, watcher: Client) -> None:
    """See that another client is served, and that the tree is whole."""
    assert watcher(Op.CONTROL, "check") == "OK\0"
    assert "tool" in watcher.ls("/") or "tool" not in store.tree.nodes[b"/"].children.decode()
    watcher.write("/sound", "x")
    assert watcher.read("/sound") == "x"
    assert ("/sound", "w") in watcher.told()
    watcher(Op.RM, "/sound")
