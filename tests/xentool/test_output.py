"""What goes to stdout, written in parts: the same text as in one piece."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from rich.text import Text

from xentool import output

WHOLE = {
    "none": [],
    "some": [{"a": [1, {"b": "two\nlines"}], "empty": {}}, [], "text", 0.5],
    "plain": {"x": [None, True]},
    "one": [[1, 2]],
}


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("streamed", [set(), {"none"}, {"some"}, {"some", "one", "none"}, set(WHOLE) - {"plain"}])
def test_iterators_become_lists(
    terminal: bool, streamed: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    document: dict[str, Any] = {name: iter(of) if name in streamed else of for name, of in WHOLE.items()}
    output.write_json(document)
    assert capsys.readouterr().out == json.dumps(WHOLE, indent=2 if terminal else None) + "\n"


def test_what_is_an_iterator_is_written_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[str] = []

    def numbers() -> Iterator[int]:
        for number in range(3):
            written.append(capsys.readouterr().out)
            yield number

    output.write_json({"numbers": numbers()})
    # Each when the one before is out, give or take the commas.
    assert ["0" in "".join(written), "1" in "".join(written), "2" in "".join(written)] == [True, True, False]


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    ("when", "environment", "expected"),
    [
        ("auto", {}, None),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, None),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"FORCE_COLOR": "0"}, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("auto", {"TERM": "dumb"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_one_rule_for_colours(
    terminal: bool, when: str, environment: dict[str, str], expected: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(output, "_WHEN", [when])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    # Without a word to the contrary they go to terminals.
    colours = terminal if expected is None else expected
    assert output.coloured(sys.stdout) is colours
    assert (output.stdout().color_system is not None) is colours


def luminance(number: int) -> float:
    # Of a colour of 256, as WCAG 2 has it.
    def part(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.03928 else float(((share + 0.055) / 1.055) ** 2.4)

    if number >= 232:
        levels = [8 + 10 * (number - 232)] * 3
    else:
        levels = [(0, 95, 135, 175, 215, 255)[(number - 16) // step % 6] for step in (36, 6, 1)]
    red, green, blue = map(part, levels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", output.LEGIBLE)
def test_colours_are_legible_on_black_and_on_white(name: str) -> None:
    light = luminance(output.LEGIBLE[name])
    assert (light + 0.05) / 0.05 > 3
    assert 1.05 / (light + 0.05) > 3


def test_what_is_drawn_has_these_colours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(output, "_WHEN", ["always"])
    output.stdout().print(Text("yes", "bold green"), Text("no", "red"), Text("plain"))
    assert capsys.readouterr().out == "\x1b[1;38;5;28myes\x1b[0m \x1b[38;5;160mno\x1b[0m plain\n"
