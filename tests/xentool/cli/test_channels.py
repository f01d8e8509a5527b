"""``xentool grants``, ``evtchn`` and ``channels`` as people read them; with a name that no toolstack gives a domain."""

import importlib
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.xentool.tools.channels.consoles import CONSOLE, NODES
from xentool.tools.channels import dump
from xentool.tools.channels.survey import made, parsed

#: As a console would take it: an escape sequence, and rich's own markup.
NAMES: dict[int, str | None] = {0: "Domain-0", 1: "[red]\x1b[2Jweb", 2: None}


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["grants", "1"], r"d1 [red]\x1b[2Jweb: 7 grants in use, 3 of 64 frames of its table used"),
        (["grants", "0"], "d0 Domain-0: 0 grants in use, 1 of 64 frames of its table used"),
        (["evtchn", "1"], r"d1 [red]\x1b[2Jweb: 20 ports"),
        (["evtchn", "2"], "   9  interdomain  d0 Domain-0 port 44  vif0 rx      0"),
        (["grants", "2"], "vif0 tx-ring"),
        (["channels"], r"d0 Domain-0 - d1 [red]\x1b[2Jweb"),
    ],
)
def test_what_is_shown(monkeypatch: pytest.MonkeyPatch, words: list[str], shown: str) -> None:
    command = importlib.import_module(f"xentool.cli.{words[0]}")
    monkeypatch.setattr(command, "resolve", lambda _: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(command, "survey", lambda _: made(NAMES, parsed(*dump.cut(CONSOLE)), NODES))
    if len(words) > 1:
        chosen = SimpleNamespace(list_domains=lambda _: [], choose=lambda _, word: SimpleNamespace(domid=int(word)))
        monkeypatch.setattr(command, "xl", chosen)
    done = CliRunner().invoke(command.command, words[1:])
    assert done.exit_code == 0
    assert shown in done.stdout
    assert "\x1b" not in done.stdout
