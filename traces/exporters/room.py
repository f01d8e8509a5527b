"""Which columns of a table have room in a terminal, and how wide each is: widths in, widths out.

Law: no number is ever cut, nor is a name. What does not fit is folded where it may be, left out as a whole column
where it may not, or told a field a line; whoever draws says what was left out.
"""

from collections.abc import Sequence
from typing import NamedTuple

#: Narrower terminals get a field a line: of most tables they would show a column or two.
NARROW = 60
#: What folds is not made narrower than this: a word a line, or less, reads worse than a column that is not there.
FOLDED_LEAST = 16


class Need(NamedTuple):
    """What a column needs, in columns of a terminal.

    :param natural: of its widest cell or heading
    :param folds: whether its cells may go on in further lines
    :param rank: the higher, the sooner it is left out; 0 never is
    """

    natural: int
    folds: bool = False
    rank: int = 0

    @property
    def least(self) -> int:
        """How narrow it may become."""
        return min(self.natural, FOLDED_LEAST) if self.folds else self.natural


def fit(needs: Sequence[Need], width: int, gap: int, *, flat: bool = False) -> dict[int, int] | None:
    """Find the columns that are shown and the width of each, by their places; None for a field a line.

    :param width: of the terminal
    :param gap: between two columns
    :param flat: columns are left out however narrow the terminal is: a row has to stay a line
    """
    shown = list(range(len(needs)))
    while _least(needs, shown, gap) > width:
        droppable = [place for place in shown if needs[place].rank]
        if not droppable or (width < NARROW and not flat):
            return None
        shown.remove(max(droppable, key=lambda place: (needs[place].rank, place)))
    return _folded(needs, shown, width - gap * (len(shown) - 1))


def _least(needs: Sequence[Need], shown: Sequence[int], gap: int) -> int:
    return sum(needs[place].least for place in shown) + gap * (len(shown) - 1)


def _folded(needs: Sequence[Need], shown: Sequence[int], room: int) -> dict[int, int]:
    # The widest of those that fold give way first, until all are as wide as each other.
    widths = {place: needs[place].natural for place in shown}
    over = sum(widths.values()) - room
    while over > 0:
        give = [place for place in shown if widths[place] > needs[place].least]
        widest = max(widths[place] for place in give)
        top = [place for place in give if widths[place] == widest]
        floor = max([needs[place].least for place in top] + [widths[one] for one in give if widths[one] < widest])
        each, rest = divmod(over, len(top))
        if each >= widest - floor:
            each, rest = widest - floor, 0
        for number, place in enumerate(top):
            widths[place] -= each + (number < rest)
        over = sum(widths.values()) - room
    return widths
