"""What is kept for who watches: in order, within bounds, and what was lost is counted vif by vif."""

from pvdrivers.net.watched import Seen
from xentool.tools.net.dump import audience, records
from xentool.tools.net.dump.audience import Audience, Watch
from xentool.tools.net.dump.records import End, Record, Reply, Vif, Wish

WEB, WEB1, DB = Vif(1, 0), Vif(1, 1), Vif(2, 0)


def seen(data: bytes) -> Seen:
    return Seen(True, b"r" * 12, b"a" * 4, data)


def taken(watch: Watch, vifs: int) -> list[Record | End]:
    found: list[Record | End] = []
    while message := watch.take():
        assert len(message) <= records.LONGEST
        found += records.decode(message, vifs)
    return found


def test_nobody_is_told_unless_somebody_watches() -> None:
    crowd = Audience()
    shown = crowd.plugged(WEB)
    assert shown.by is None
    _, watch = crowd.join(Wish(), lambda: None)
    assert watch
    assert shown.by is shown
    crowd.leave(watch)
    assert shown.by is None
    # The same vif, for a backend that is made anew.
    assert crowd.plugged(WEB) is shown


def test_one_sees_what_he_wanted_and_no_more() -> None:
    crowd = Audience()
    shown = {vif: crowd.plugged(vif) for vif in (DB, WEB1, WEB)}
    reply, watch = crowd.join(Wish(1), lambda: None)
    other, second = crowd.join(Wish(None, 0), lambda: None)
    assert (reply, other) == (Reply((WEB, WEB1), ()), Reply((WEB, DB), (WEB1,)))
    assert watch
    assert second
    assert crowd.join(Wish(1, 5), lambda: None) == (Reply((), (WEB, WEB1)), None)
    assert crowd.join(Wish(9), lambda: None) == (Reply(), None)
    for vif, each in shown.items():
        if each.by:
            each.by.saw(3, [seen(bytes([vif.domid, vif.handle]))])
    first = [(one.vif, one.queue, one.seen.data) for one in taken(watch, 2) if isinstance(one, Record)]
    assert first == [(1, 3, b"\1\1"), (0, 3, b"\1\0")]
    assert [one.vif for one in taken(second, 2) if isinstance(one, Record)] == [1, 0]


def test_who_does_not_take_loses_and_is_told_how_much() -> None:
    crowd = Audience()
    shown = crowd.plugged(WEB)
    woken: list[int] = []
    _, slow = crowd.join(Wish(), lambda: woken.append(1))
    _, quick = crowd.join(Wish(), lambda: None)
    assert slow
    assert quick
    assert shown.by
    frame = bytes(60000)
    got = 0
    for _ in range(1000):
        shown.by.saw(0, [seen(frame)])
        got += len(taken(quick, 1))
    assert got == 1000
    # Once: the others found something there.
    assert len(woken) == 1
    kept = taken(slow, 1)
    assert audience.ROOM // 61000 <= len(kept) <= audience.ROOM // 60000 + 1
    assert [one.lost for one in kept] == [0] * len(kept)
    shown.by.saw(0, [seen(b"later")])
    (later,) = taken(slow, 1)
    assert isinstance(later, Record)
    assert (later.lost, later.number, later.seen.data) == (1000 - len(kept), 1000, b"later")


def test_small_packets_are_bounded_too() -> None:
    crowd = Audience()
    shown = crowd.plugged(WEB)
    _, watch = crowd.join(Wish(), lambda: None)
    assert watch
    assert shown.by
    shown.by.saw(0, [seen(b"")] * 100_000)
    crowd.leave(watch)
    watch.end()
    *kept, end = taken(watch, 1)
    assert len(kept) < audience.ROOM / 200
    assert end == End(100_000 - len(kept))
    assert watch.take() == b""


def test_the_end_comes_once_all_that_he_watched_is_gone() -> None:
    crowd = Audience()
    for vif in (WEB, WEB1):
        crowd.plugged(vif)
    _, watch = crowd.join(Wish(), lambda: None)
    assert watch
    crowd.gone(WEB)
    assert watch.take() == b""
    crowd.gone(WEB1)
    assert taken(watch, 2) == [End(0)]
    assert watch.ended
    assert crowd.join(Wish(), lambda: None) == (Reply(), None)
