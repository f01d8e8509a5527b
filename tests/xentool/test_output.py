"""What goes to stdout, written in parts: the same text as in one piece."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

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
