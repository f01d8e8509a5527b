"""One end of a device over XenStore: with a good peer, a hostile one, one that dies, and a toolstack that unplugs."""

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus import toolstack
from pvdrivers.bus.end import error_path
from pvdrivers.errors import MachineError, PeerError
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.xenbus import Role
from tests.pvdrivers.bus.joined import BACK, GUEST, SPOT, Frontish, Noting, running, until


@pytest.fixture
def dom0(tmp_path: Path) -> Iterator[Loopback]:
    with machine(tmp_path, [BACK, GUEST]), Loopback(tmp_path, BACK) as transport:
        toolstack.plug(transport.store, SPOT, {}, {})
        yield transport


@pytest.fixture
def guest(dom0: Loopback, tmp_path: Path) -> Iterator[Loopback]:
    assert dom0.domid == BACK
    with Loopback(tmp_path, GUEST) as transport:
        yield transport


def state(transport: Loopback, path: str) -> str:
    return transport.store.read(f"{path}/state").decode()


def test_ends_find_each_other_and_part(dom0: Loopback, guest: Loopback) -> None:
    back, front = Noting(), Noting()
    with running(dom0, back, Role.BACK) as served, running(guest, front, Role.FRONT) as used:
        assert used.wait([S.CONNECTED], 600)
        assert served.wait([S.CONNECTED], 600)
        assert dom0.store.read(f"{SPOT.back}/max-ring-page-order") == b"4"
        assert dom0.store.read(f"{SPOT.front}/ring-ref") == b"8"
        toolstack.part(dom0.store, SPOT)
        used.leave()
        assert toolstack.parted(dom0.store, SPOT, 60)
        until(lambda: served.over and used.over)
    assert back.actions[:2] == ["offer", "connect"]
    assert set(back.actions[2:]) == {"close"}
    assert front.actions[:2] == ["publish", "connect"]
    toolstack.remove(dom0.store, SPOT)
    assert dom0.store.directory(f"/local/domain/{BACK}/backend") == []
    assert dom0.store.directory(f"/local/domain/{GUEST}/device") == []


def test_a_frontend_that_leaves_is_over_and_the_backend_waits_for_another(dom0: Loopback, guest: Loopback) -> None:
    with running(dom0, Noting(), Role.BACK) as served:
        for _ in range(3):
            with running(guest, Noting(), Role.FRONT) as used:
                assert used.wait([S.CONNECTED], 600)
                used.leave()
                until(partial(getattr, used, "over"))
                assert state(guest, SPOT.front) == str(S.CLOSED.value)
            assert not served.over


def test_a_frontend_that_leaves_has_its_pages_until_the_backend_has_let_go_of_them(
    dom0: Loopback, guest: Loopback
) -> None:
    front = Noting()
    with running(guest, front, Role.FRONT) as used:
        with running(dom0, Noting(), Role.BACK):
            assert used.wait([S.CONNECTED], 600)
        used.leave()
        assert used.wait([S.CLOSING], 600)
        assert "close" not in front.actions
        dom0.store.write(f"{SPOT.back}/state", b"%d" % S.CLOSING)
        until(lambda: used.over)
        assert "close" in front.actions
    assert state(guest, SPOT.front) == str(S.CLOSED.value)


def test_both_begin_anew_after_the_backend_was_killed(dom0: Loopback, guest: Loopback) -> None:
    front = Noting()
    with running(guest, front, Role.FRONT) as used:
        with running(dom0, Noting(), Role.BACK):
            assert used.wait([S.CONNECTED], 600)
        # It has written nothing as it went.
        assert state(dom0, SPOT.back) == str(S.CONNECTED.value)
        front.actions.clear()
        with running(dom0, Noting(), Role.BACK):
            until(lambda: "connect" in front.actions)
            assert used.wait([S.CONNECTED], 600)
    assert [action for action in front.actions if action != "reread"][:4] == ["close", "restart", "publish", "connect"]


def test_a_backend_that_can_goes_on_where_its_former_life_was(dom0: Loopback, guest: Loopback) -> None:
    class Resuming(Noting):
        def resume(self) -> bool:
            self.actions.append("resume")
            return True

    back, front = Resuming(), Noting()
    with running(guest, front, Role.FRONT) as used:
        with running(dom0, Noting(), Role.BACK):
            assert used.wait([S.CONNECTED], 600)
        front.actions.clear()
        with running(dom0, back, Role.BACK) as served:
            assert served.wait([S.CONNECTED], 600)
    assert back.actions == ["resume", "close"]
    assert set(front.actions) <= {"reread", "close"}


def test_a_frontend_that_vanishes_leaves_the_backend_closed(dom0: Loopback, guest: Loopback) -> None:
    back = Noting()
    with running(dom0, back, Role.BACK) as served:
        with running(guest, Noting(), Role.FRONT):
            assert served.wait([S.CONNECTED], 600)
        dom0.store.remove(SPOT.front)
        assert served.wait([S.CLOSED], 600)
        assert back.actions[-1] == "close"
        # Its toolstack removes the rest.
        dom0.store.write(f"{SPOT.back}/online", b"0")
        until(lambda: served.over)


def test_a_backend_that_vanishes_leaves_the_frontend_closed(dom0: Loopback, guest: Loopback) -> None:
    # What is above its backend's directory is not for it to read: that there is none it is not told.
    dom0.store.mkdir("/local/domain/0/backend/test")
    dom0.store.set_permissions("/local/domain/0/backend/test", ["n0"])
    front = Noting()
    with running(guest, front, Role.FRONT) as served:
        with running(dom0, Noting(), Role.BACK):
            assert served.wait([S.CONNECTED], 600)
        dom0.store.remove(SPOT.back)
        assert served.wait([S.CLOSED], 600)
        assert front.actions[-1] == "close"


def test_what_the_toolstack_removes_is_not_brought_back(dom0: Loopback, guest: Loopback) -> None:
    back = Noting()
    with running(dom0, back, Role.BACK) as served, running(guest, Noting(), Role.FRONT):
        assert served.wait([S.CONNECTED], 600)
        dom0.store.remove(SPOT.back)
        until(lambda: served.over)
        assert back.actions[-1] == "close"
    assert not dom0.store.exists(SPOT.back)


def test_unplugged_after_its_frontend_has_left(dom0: Loopback, guest: Loopback) -> None:
    with running(dom0, Noting(), Role.BACK) as served:
        with running(guest, Noting(), Role.FRONT) as used:
            assert used.wait([S.CONNECTED], 600)
            used.leave()
            until(lambda: used.over)
        assert served.wait([S.CLOSED], 600)
        toolstack.part(dom0.store, SPOT)
        # As it stays without anybody: a backend of Linux would leave another state as it is.
        assert state(dom0, SPOT.back) == str(S.CLOSED.value)
        until(lambda: served.over)


def test_unplugged_before_anybody_was_there(dom0: Loopback) -> None:
    with running(dom0, Noting(), Role.BACK) as served:
        assert served.wait([S.INIT_WAIT], 600)
        toolstack.part(dom0.store, SPOT)
        assert toolstack.parted(dom0.store, SPOT, 60)
        until(lambda: served.over)


NONSENSE = [
    b"",
    b"-1",
    b"4294967296",
    b"9",
    b"4x",
    b" ",
    b"\0",
    b"\xff\xfe",
    b"1e1",
    b"\xef\xbc\x94",
    b"4" * 1500,
    b"0x4",
]


def test_a_state_that_is_none_is_no_frontend(dom0: Loopback, guest: Loopback) -> None:
    back, front = Noting(), Frontish(guest)

    def closed(times: int) -> bool:
        return back.actions.count("close") == times

    with running(dom0, back, Role.BACK) as served:
        for number, nonsense in enumerate(NONSENSE):
            front.write("state", S.INITIALISING.value)
            assert served.wait([S.INIT_WAIT], 600)
            front.write("state", S.INITIALISED.value)
            assert served.wait([S.CONNECTED], 600)
            front.write("state", nonsense)
            assert served.wait([S.CLOSED], 600), nonsense
            until(partial(closed, number + 1))
        assert served.error is None


def test_wrong_nodes_close_the_device_and_say_why(dom0: Loopback, guest: Loopback) -> None:
    back, front, lines = Noting(), Frontish(guest), list[str]()
    back.failing["connect"] = PeerError("ring-ref is 'x', no number")
    said = f"{error_path(SPOT.back)}/error"
    with running(dom0, back, Role.BACK, lines) as served:
        assert served.wait([S.INIT_WAIT], 600)
        front.write("state", S.INITIALISED.value)
        assert served.wait([S.CLOSING], 600)
        until(lambda: dom0.store.exists(said))
        assert dom0.store.read(said) == b"22 ring-ref is 'x', no number"
        assert lines == ["0/backend/test/5/51712: ring-ref is 'x', no number"]
        # It may try again, and then all is well.
        for other in (S.CLOSED, S.INITIALISING, S.INITIALISED):
            front.write("state", other.value)
            assert served.wait({S.CLOSED: [S.CLOSED], S.INITIALISING: [S.INIT_WAIT]}.get(other, [S.CONNECTED]), 60)
        until(lambda: not dom0.store.exists(error_path(SPOT.back)))


def test_a_disk_that_cannot_be_opened_is_tried_again_at_leisure(dom0: Loopback) -> None:
    tried: list[float] = []

    class Failing(Noting):
        def offer(self) -> dict[str, str | int | None]:
            tried.append(time.monotonic())
            raise MachineError("cannot open x")

    with running(dom0, Failing(), Role.BACK):
        until(lambda: len(tried) >= 4)
        assert state(dom0, SPOT.back) in {str(S.CLOSED.value), str(S.CLOSING.value)}
    # Each try is followed by a rest, which a busy machine makes none shorter.
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(tried))


@pytest.mark.parametrize("fatal", [False, True])
def test_a_fault_while_connected(dom0: Loopback, guest: Loopback, fatal: bool) -> None:
    back, lines = Noting(), list[str]()
    said = "the peer's producer index 9 is impossible"
    with running(dom0, back, Role.BACK, lines) as served, running(guest, Noting(), Role.FRONT) as used:
        assert served.wait([S.CONNECTED], 600)
        assert used.wait([S.CONNECTED], 600)
        back.actions.clear()
        served.fault(PeerError(said), fatal=fatal)
        if fatal:
            # Both part, and find each other again; by then nothing is wrong any more.
            until(lambda: "connect" in back.actions)
            until(lambda: not dom0.store.exists(error_path(SPOT.back)))
        else:
            until(lambda: dom0.store.exists(f"{error_path(SPOT.back)}/error"))
            assert dom0.store.read(f"{error_path(SPOT.back)}/error").decode() == f"22 {said}"
            assert state(dom0, SPOT.back) == str(S.CONNECTED.value)
            assert back.actions == []
        assert lines == [f"0/backend/test/5/51712: {said}"]


def test_a_fault_that_is_over_is_taken_back_unless_another_came(dom0: Loopback, guest: Loopback) -> None:
    lines = list[str]()
    first, second = MachineError("no port"), MachineError("no room")
    node = f"{error_path(SPOT.back)}/error"
    with running(dom0, Noting(), Role.BACK, lines) as served, running(guest, Noting(), Role.FRONT) as used:
        assert served.wait([S.CONNECTED], 600)
        assert used.wait([S.CONNECTED], 600)
        for error, over in ((first, False), (second, False), (first, True)):
            served.fault(error, over=over)
        until(lambda: len(lines) == 3)
        assert (served.error, dom0.store.read(node)) == (second, b"22 no room")
        served.fault(second, over=True)
        until(lambda: not dom0.store.exists(node))
        assert served.error is None
    said = ("no port", "no room", "no longer so: no port", "no longer so: no room")
    assert lines == [f"0/backend/test/5/51712: {line}" for line in said]


def test_a_resize_is_told_by_the_same_state_again(dom0: Loopback, guest: Loopback) -> None:
    back, front = Noting(), Noting()
    with running(dom0, back, Role.BACK), running(guest, front, Role.FRONT) as used:
        assert used.wait([S.CONNECTED], 600)
        until(lambda: "reread" in front.actions)
        with dom0.store.watch(f"{SPOT.back}/state") as watch:
            watch.next(600)
            back.told = True
            assert watch.next(600) == f"{SPOT.back}/state"
        assert dom0.store.read(f"{SPOT.back}/sectors") == b"7"


def test_a_frontend_that_closes_before_it_connects_is_followed(dom0: Loopback, guest: Loopback) -> None:
    # As Windows' drivers do once; it may all have happened before anybody looks.
    back, front = Noting(), Frontish(guest)
    with running(dom0, back, Role.BACK) as served:
        assert served.wait([S.INIT_WAIT], 600)
        front.write("state", S.CLOSED.value)
        assert served.wait([S.CLOSED], 600)
        front.write("state", S.INITIALISING.value)
        assert served.wait([S.INIT_WAIT], 600)


def test_states_rewritten_without_end_are_no_more_than_one_to_be_looked_at(dom0: Loopback, guest: Loopback) -> None:
    rounds = int(os.environ.get("XENTOOL_FUZZ", "5000"))
    back, front = Noting(), Frontish(guest)
    with running(dom0, back, Role.BACK) as served:
        assert served.wait([S.INIT_WAIT], 600)
        threads = set(threading.enumerate())
        for number in range(rounds):
            front.write("state", (4, 5, 6, 1, 3, 0, 99)[number % 7])
        front.write("state", S.CLOSED.value)
        assert served.wait([S.CLOSED], 600)
        assert served.is_alive()
        assert set(threading.enumerate()) <= threads
        # Each look saw what stood there then, not all that ever had.
        assert len(back.actions) < rounds
        front.write("state", S.INITIALISING.value)
        assert served.wait([S.INIT_WAIT], 600)


def test_no_thread_or_watch_is_left(dom0: Loopback, guest: Loopback) -> None:
    assert guest.store.exists(SPOT.front)
    before = set(threading.enumerate())
    with running(dom0, Noting(), Role.BACK) as served, running(guest, Noting(), Role.FRONT):
        assert served.wait([S.CONNECTED], 600)
    assert set(threading.enumerate()) <= before
    assert dom0.store._watches == {}
    assert guest.store._watches == {}
