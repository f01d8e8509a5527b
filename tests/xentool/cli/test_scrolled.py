"""A page's keys and lines, without a terminal."""

import pytest
from rich.text import Text

from xentool.cli.common.keyboard import keys
from xentool.cli.screens.scrolled import Scrolled

HEAD = [Text("title")]
BODY = [[Text(f"line {number}"), Text(f"  more of {number}")] for number in range(10)]
FOOT = Text("q ends")


def seen(page: Scrolled, height: int = 6) -> list[str]:
    return [line.plain for line in page.seen(HEAD, BODY, height, FOOT)]


def test_all_of_it_where_it_fits() -> None:
    assert seen(Scrolled(), 22) == ["title", *(line.plain for both in BODY for line in both), "q ends"]


def test_it_scrolls_and_stays_within_its_ends() -> None:
    page = Scrolled()
    assert seen(page) == ["title", "line 0", "  more of 0", "line 1", "  more of 1", "1 to 4 of 20 lines  q ends"]
    for key in ("up", "down", "page down"):
        assert page.press(key)
    assert seen(page)[1] == "  more of 2"
    assert page.press("end")
    assert seen(page)[1:] == ["line 8", "  more of 8", "line 9", "  more of 9", "17 to 20 of 20 lines  q ends"]
    assert page.press("down")
    assert seen(page)[1] == "line 8"
    # A terminal that grows, and a list that shrinks, leave no empty page.
    assert seen(page, 100)[1] == "line 0"
    assert page.press("home")
    assert not page.press("q")
    assert not page.press("")


def test_what_has_a_text_is_shown_with_what_belongs_to_it() -> None:
    page = Scrolled()
    for key in "/LINE 7x\x7f":
        assert page.press(key)
    assert seen(page) == ["title", "line 7", "  more of 7", "/LINE 7_ q ends"]
    # While a text is typed, q is a letter.
    assert page.press("q")
    assert seen(page) == ["title", "/LINE 7q_ q ends"]
    assert page.press("escape")
    assert len(seen(page, 22)) == 22
    for key in "/9\r":
        assert page.press(key)
    assert not page.press("q")
    assert seen(page) == ["title", "line 9", "  more of 9", "/9  q ends"]


def test_what_keys_do_is_told_until_the_next_one() -> None:
    page = Scrolled([("V", "vCPUs")])
    assert page.press("?")
    told = seen(page, 22)
    assert told[0].split() == ["V", "vCPUs"]
    assert any(line.startswith("q ") for line in told)
    assert page.press("q")
    assert seen(page)[0] == "title"


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~x", ["up", "down", "page up", "page down", "x"]),
        ("\x1b[H\x1b[4~\x1bOF", ["home", "end", "end"]),
        ("\x1b", ["escape"]),
        ("\x1b[1;5C\x1b[200~é", ["é"]),
        ("\x1b\x1b[A", ["escape", "up"]),
        ("", []),
    ],
)
def test_what_terminals_send(told: str, found: list[str]) -> None:
    assert keys(told) == found
