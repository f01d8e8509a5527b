"""What a daemon and who watches tell each other, there and back, and whatever bytes there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.net.watched import Seen
from xentool.errors import PeerError
from xentool.tools.net.dump import records
from xentool.tools.net.dump.records import End, Record, Reply, Vif, Wish

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
SEEN = st.builds(Seen, st.booleans(), st.binary(max_size=60), st.binary(max_size=40), st.binary(max_size=100))
RECORDS = st.builds(Record, st.integers(0, 6), U64, U32, U64, U64, SEEN)


def encoded(record: Record | End) -> bytes:
    if isinstance(record, End):
        return records.end(record.lost)
    return records.head(record.vif, record.lost) + records.body(*record[2:])


@given(st.lists(RECORDS | st.builds(End, U64), max_size=5))
def test_records_there_and_back(sent: list[Record | End]) -> None:
    assert list(records.decode(b"".join(map(encoded, sent)), 7)) == sent


@given(st.binary(max_size=200) | RECORDS.map(encoded), st.integers(0, 200), st.binary(max_size=3))
def test_whatever_comes_is_records_or_is_refused(whole: bytes, cut: int, more: bytes) -> None:
    message = whole[:cut] + more
    try:
        found = list(records.decode(message, 7))
    except PeerError:
        return
    assert b"".join(map(encoded, found)) == message


def test_a_record_of_a_vif_that_was_not_promised_is_none() -> None:
    body = records.body(0, 1, 2, Seen(True, b"", b"", b""))
    assert len(list(records.decode(records.head(1, 0) + body, 2))) == 1
    with pytest.raises(PeerError, match="no record"):
        list(records.decode(records.head(2, 0) + body, 2))


@pytest.mark.parametrize("wish", [Wish(), Wish(5), Wish(5, 0), Wish(None, 3)])
def test_wishes_there_and_back(wish: Wish) -> None:
    assert Wish.decode(wish.encode()) == wish


def test_replies_there_and_back() -> None:
    for reply in (Reply((Vif(1, 0), Vif(2, 7)), (Vif(3, 0),)), Reply(refused="8 watch already")):
        assert Reply.decode(reply.encode()) == reply


@pytest.mark.parametrize("message", [b"", b"{}", b"[1]", b'["a", 1]', b"[1, 1.5]", b"\xff", b"[" * 2000, b"[1, 2, 3]"])
def test_what_is_no_wish_is_none(message: bytes) -> None:
    with pytest.raises(PeerError):
        Wish.decode(message)


@pytest.mark.parametrize("message", [b"", b"[]", b'[[[1]], [], ""]', b'[[], [["a", 0]], ""]', b"[[], [], 1]"])
def test_what_is_no_reply_is_none(message: bytes) -> None:
    with pytest.raises(PeerError):
        Reply.decode(message)
