"""Which columns have room: nothing that cannot fold is made narrower, and what matters least goes first."""

from random import Random

import pytest

from traces.exporters.room import FOLDED_LEAST, NARROW, Need, fit

NAME, NUMBER = Need(30, folds=True), Need(8, rank=1)


def test_what_fits_is_as_wide_as_it_is() -> None:
    assert fit([NAME, NUMBER, NUMBER], 52, 3) == {0: 30, 1: 8, 2: 8}


def test_names_fold_before_a_column_is_left_out() -> None:
    needs = [NAME, *[Need(8, rank=rank) for rank in (1, 2, 3)]]
    assert fit(needs, 62, 3) == {0: 29, 1: 8, 2: 8, 3: 8}
    needs = [Need(60, folds=True), *[Need(8, rank=rank) for rank in range(1, 6)]]
    assert fit(needs, 71, 3) == {0: FOLDED_LEAST, 1: 8, 2: 8, 3: 8, 4: 8, 5: 8}
    assert fit(needs, 70, 3) == {0: 70 - 4 * 11, 1: 8, 2: 8, 3: 8, 4: 8}


def test_what_matters_least_goes_first_and_of_those_alike_the_right_one() -> None:
    needs = [Need(20), Need(20, rank=2), Need(20, rank=5), Need(20, rank=1), Need(20, rank=5)]
    shown = [fit(needs, width, 0) for width in (100, 99, 79)]
    assert [list(widths or ()) for widths in shown] == [[0, 1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 3]]


def test_the_widest_folds_most() -> None:
    assert fit([Need(50, folds=True), Need(20, folds=True), Need(40, folds=True)], 70, 0) == {0: 25, 1: 20, 2: 25}
    assert fit([Need(21, folds=True), Need(20, folds=True), Need(20, folds=True)], 59, 0) == {0: 19, 1: 20, 2: 20}


@pytest.mark.parametrize("flat", [False, True])
def test_a_narrow_terminal_gets_fields_unless_rows_have_to_stay_lines(flat: bool) -> None:
    needs = [Need(20), *[Need(20, rank=rank) for rank in (1, 2)]]
    assert fit(needs, NARROW - 1, 0, flat=flat) == ({0: 20, 1: 20} if flat else None)
    assert fit(needs, NARROW, 0, flat=flat) == {0: 20, 1: 20, 2: 20}
    # What nobody may leave out is told by fields, however wide the terminal.
    assert fit([Need(150), Need(80)], 200, 2, flat=flat) is None


def test_any_table_fits() -> None:
    random = Random(6)  # noqa: S311 - the same tables each time
    for _ in range(2_000):
        needs = [Need(random.randrange(1, 60), random.random() < 0.4, place) for place in range(random.randrange(1, 9))]
        width, gap = random.randrange(NARROW, 200), random.randrange(1, 4)
        widths = fit(needs, width, gap)
        assert widths is not None
        assert sum(widths.values()) + gap * (len(widths) - 1) <= width
        for place, found in widths.items():
            assert needs[place].least <= found <= needs[place].natural
        # No more is left out than has to be: with the next one it would not fit, folded as far as may be.
        assert list(widths) == list(range(len(widths)))
        if len(widths) < len(needs):
            least = sum(need.least for need in needs[: len(widths) + 1]) + gap * len(widths)
            assert least > width
