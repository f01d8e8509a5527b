"""The handshake: both ends by their tables, from every pair of states, with a death at every point, in every order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.xenbus import (
    BACK,
    FRONT,
    NET_BACK,
    NET_FRONT,
    Action,
    Role,
    Step,
    Table,
    begin,
    is_over,
    may_resume,
    parting,
)
from tests.docs import xenbus as docs


@dataclass(frozen=True, slots=True)
class End:
    """One driver: where it believes to be, what its node says, and the step that it has begun."""

    own: S
    written: S
    step: Step | None = None
    deaths: int = 1


@dataclass(frozen=True, slots=True)
class World:
    """Both, and what is between them."""

    front: End
    back: End
    #: The frontend's rings are granted.
    granted: bool = False
    #: The backend is connected to those rings, and no others.
    joined: bool = False


def moves(world: World, front: Table, back: Table) -> Iterator[World]:
    """Give all that can happen next. A step is begun by what was seen, and done when that may have changed."""
    if world.front.step:
        yield front_done(world)
    elif step := begun(front, world.front, world.back):
        yield replace(world, front=replace(world.front, step=step))
    if world.back.step:
        yield back_done(world)
    elif step := begun(back, world.back, world.front):
        yield replace(world, back=replace(world.back, step=step))
    if world.front.deaths:
        died = replace(world.front, own=begin(world.front.written), step=None, deaths=world.front.deaths - 1)
        yield replace(world, front=died, granted=False, joined=False)
    if world.back.deaths:
        died = replace(world.back, own=S.INITIALISING, step=None, deaths=world.back.deaths - 1)
        yield replace(world, back=died, joined=False)


def begun(table: Table, end: End, peer: End) -> Step | None:
    step = table.get((end.own, peer.written))
    # Looking again changes nothing.
    return None if step is None or step.action is Action.REREAD else step


def moved(end: End) -> End:
    assert end.step
    return replace(end, own=end.step.state, written=end.step.state, step=None)


def front_done(world: World) -> World:
    step = world.front.step
    assert step
    granted, joined = world.granted, world.joined
    if step.action in {Action.PUBLISH, Action.CLOSE}:
        granted, joined = step.action is Action.PUBLISH, False
    return replace(world, front=moved(world.front), granted=granted, joined=joined)


def back_done(world: World) -> World:
    end = world.back
    assert end.step
    if end.step.action is Action.CONNECT and not world.granted:
        # What the frontend had written is void: it is closed.
        end = replace(end, step=Step(Action.CLOSE, S.CLOSING))
    assert end.step
    joined = world.joined
    if end.step.action in {Action.CONNECT, Action.CLOSE}:
        joined = end.step.action is Action.CONNECT
    return replace(world, back=moved(end), joined=joined)


CONNECTED = (S.CONNECTED, S.CONNECTED, True, True)


def told(world: World) -> tuple[S, S, bool, bool]:
    return world.front.written, world.back.written, world.granted, world.joined


def explore(front: Table, back: Table) -> tuple[set[World], set[World], set[World]]:
    """Walk all worlds from all pairs of states.

    :returns: all of them, those that last, and those from which none that is connected can be reached any more
    """
    worlds = {World(End(begin(fronts), fronts), End(S.INITIALISING, backs)) for fronts, backs in product(S, S)}
    before: dict[World, list[World]] = {}
    lasting = set()
    ahead = list(worlds)
    while ahead:
        world = ahead.pop()
        following = list(moves(world, front, back))
        alive = [each for each in following if (each.front.deaths, each.back.deaths) == deaths(world)]
        if not alive:
            lasting.add(world)
        for each in alive:
            before.setdefault(each, []).append(world)
        ahead += set(following) - worlds
        worlds.update(following)
    hopeful: set[World] = set()
    ahead = [world for world in lasting if told(world) == CONNECTED]
    while ahead:
        world = ahead.pop()
        if world not in hopeful:
            hopeful.add(world)
            ahead += before.get(world, [])
    return worlds, lasting, worlds - hopeful


def deaths(world: World) -> tuple[int, int]:
    return world.front.deaths, world.back.deaths


@pytest.mark.parametrize(("front", "back"), [(FRONT, BACK), (NET_FRONT, NET_BACK)], ids=["block", "net"])
def test_they_connect_from_everywhere(front: Table, back: Table) -> None:
    worlds, lasting, lost = explore(front, back)
    assert {told(world) for world in lasting} == {CONNECTED}
    assert lost == set()
    assert len(worlds) > 1000


@pytest.mark.parametrize(
    "pair", [(S.INITIALISING, S.INIT_WAIT), (S.CLOSED, S.CLOSED), (S.CLOSING, S.CLOSING), (S.INITIALISED, S.CONNECTED)]
)
def test_without_a_row_they_would_not(pair: tuple[S, S]) -> None:
    _, lasting, lost = explore({each: step for each, step in FRONT.items() if each != pair}, BACK)
    assert lost
    assert {told(world) for world in lasting} != {CONNECTED}


def run(front: S, back: S, fronts: Table, backs: Table, front_wants: bool = True) -> list[tuple[str, Action, S]]:
    """Let the two take turns until nothing changes; a frontend that is to stay closed does not restart."""
    log: list[tuple[str, Action, S]] = []
    moving = True
    while moving:
        moving = False
        step = fronts.get((front, back))
        if step and step.action is not Action.REREAD and (front_wants or step.action is not Action.RESTART):
            front, moving = step.state, True
            log.append(("front", step.action, step.state))
        step = backs.get((back, front))
        if step:
            back, moving = step.state, True
            log.append(("back", step.action, step.state))
    return log


def test_block_connects_as_blkif_h_says() -> None:
    assert run(S.INITIALISING, S.INITIALISING, FRONT, BACK) == [
        ("back", Action.OFFER, S.INIT_WAIT),
        ("front", Action.PUBLISH, S.INITIALISED),
        ("back", Action.CONNECT, S.CONNECTED),
        ("front", Action.CONNECT, S.CONNECTED),
    ]


def test_net_connects_as_netfront_does() -> None:
    assert run(S.INITIALISING, S.INITIALISING, NET_FRONT, NET_BACK) == [
        ("back", Action.OFFER, S.INIT_WAIT),
        ("front", Action.PUBLISH, S.CONNECTED),
        ("back", Action.CONNECT, S.CONNECTED),
    ]


def test_whoever_begins_to_close_they_close_by_5_5_6_6() -> None:
    assert run(S.CLOSING, S.CONNECTED, FRONT, BACK, front_wants=False) == [
        ("back", Action.CLOSE, S.CLOSING),
        ("front", Action.CLOSE, S.CLOSED),
        ("back", Action.CLOSE, S.CLOSED),
    ]
    # As `xl block-detach` does, by writing the backend's state.
    assert run(S.CONNECTED, S.CLOSING, FRONT, BACK, front_wants=False) == [
        ("front", Action.CLOSE, S.CLOSED),
        ("back", Action.CLOSE, S.CLOSED),
    ]


def test_a_kernel_started_by_kexec_resets_the_device() -> None:
    # xenbus_reset_frontend writes 5, 6 and 1, and each time waits for what the backend writes here.
    for written, answer in ((S.CLOSING, S.CLOSING), (S.CLOSED, S.CLOSED), (S.INITIALISING, S.INIT_WAIT)):
        before = {S.CLOSING: S.CONNECTED, S.CLOSED: S.CLOSING, S.INITIALISING: S.CLOSED}[written]
        assert BACK[before, written].state is answer
    assert run(begin(S.CONNECTED), S.CONNECTED, FRONT, BACK)[:3] == [
        ("front", Action.CLOSE, S.CLOSING),
        ("back", Action.CLOSE, S.CLOSING),
        ("front", Action.CLOSE, S.CLOSED),
    ]


def test_a_backend_that_died_has_its_frontend_connect_again() -> None:
    log = run(S.CONNECTED, S.INITIALISING, FRONT, BACK)
    assert log[0] == ("back", Action.CLOSE, S.CLOSING)
    assert ("front", Action.RESTART, S.INITIALISING) in log
    assert log[-1] == ("front", Action.CONNECT, S.CONNECTED)


def test_a_state_written_again_is_looked_at_again() -> None:
    assert FRONT[S.CONNECTED, S.CONNECTED] == Step(Action.REREAD, S.CONNECTED)


def test_each_end_writes_only_states_of_its_own() -> None:
    fronts = {S.INITIALISING, S.INITIALISED, S.CONNECTED, S.CLOSING, S.CLOSED}
    backs = {S.INIT_WAIT, S.CONNECTED, S.CLOSING, S.CLOSED, S.RECONFIGURED}
    assert {step.state for step in FRONT.values()} == fronts
    assert {step.state for step in NET_FRONT.values()} == fronts - {S.INITIALISED}
    assert {step.state for step in BACK.values()} == {step.state for step in NET_BACK.values()} == backs


def test_a_frontend_that_leaves_closes_what_its_backend_may_use_and_nothing_else() -> None:
    states = product(S, S, S)
    closing = {(own, parting(Role.FRONT, own, written, peer, leaving=True)) for own, written, peer in states}
    assert {own for own, state in closing if state} == {S.INITIALISED, S.CONNECTED, S.RECONFIGURING}
    assert {state for _, state in closing} == {S.CLOSING, None}
    assert not any(parting(Role.FRONT, own, written, peer, leaving=False) for own, written, peer in product(S, S, S))


def test_a_toolstack_closes_a_backend_that_nobody_has_joined() -> None:
    parted = {
        (own, written, peer)
        for own, written, peer in product(S, S, S)
        if parting(Role.BACK, own, written, peer, leaving=False) is S.CLOSED
    }
    peers = {S.UNKNOWN, S.INITIALISING, S.CLOSED}
    assert parted == set(product({S.INITIALISING, S.INIT_WAIT}, {S.CLOSING}, peers))
    # A connected one waits for its frontend, which sees what the toolstack wrote.
    assert parting(Role.BACK, S.CONNECTED, S.CLOSING, S.CONNECTED, leaving=False) is None


def test_an_end_is_over_once_it_is_closed_and_not_wanted_any_more() -> None:
    def over(role: Role, *, leaving: bool, online: bool) -> set[tuple[S, S]]:
        return {pair for pair in product(S, S) if is_over(role, *pair, leaving=leaving, online=online)}

    fresh, closed = set(product({S.INITIALISING}, S)), set(product({S.CLOSED}, S))
    assert over(Role.BACK, leaving=False, online=True) == set()
    assert over(Role.BACK, leaving=False, online=False) == closed
    assert over(Role.BACK, leaving=True, online=True) == fresh
    # Whose backend still says that it is connected would be taken for what it was before.
    assert over(Role.FRONT, leaving=True, online=True) == fresh | closed - {(S.CLOSED, S.CONNECTED)}
    assert over(Role.FRONT, leaving=False, online=False) == set()


def test_a_backend_goes_on_only_where_both_ends_are_still_connected() -> None:
    assert [pair for pair in product(S, S) if may_resume(*pair)] == [(S.CONNECTED, S.CONNECTED)]


def test_the_docs_diagrams_are_the_tables() -> None:
    assert docs.PAGE.read_text() == docs.page(), "python -m tests.docs.xenbus writes it"
