"""Several requests at a time: their order, how many are under way, and what one that fails does to the others."""

from threading import Barrier, Event, Lock

import pytest

from xentool.tools.store.together import together


def test_what_is_found_is_in_the_order_of_what_was_asked() -> None:
    second = Event()

    def do(number: int) -> str:
        # The first is done last.
        if number == 0:
            assert second.wait(600)
        second.set()
        return f"{number}"

    assert together(do, range(40)) == [f"{number}" for number in range(40)]
    assert together(do, []) == []


def test_sixteen_are_under_way_and_no_more() -> None:
    all_there, lock = Barrier(16), Lock()
    under_way, most = 0, 0

    def do(number: int) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        if number < 16:
            all_there.wait(600)
        with lock:
            under_way -= 1

    together(do, range(100))
    assert most == 16


def test_the_first_that_fails_is_told_and_others_are_not_begun() -> None:
    all_there, begun = Barrier(16), []

    def do(number: int) -> None:
        begun.append(number)
        all_there.wait(600)
        raise LookupError(f"number {number}")

    with pytest.raises(LookupError, match="number 0"):
        together(do, range(1000))
    assert sorted(begun) == list(range(16))
