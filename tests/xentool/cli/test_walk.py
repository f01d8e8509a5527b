"""``xentool walk``: arguments, and the three forms of what it shows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from tests.docs.shapes import wrong
from tests.xentool.tools.memory.guests import ROOT, TEXT, P, PvGuest
from xentool.cli import walk
from xentool.documents import memory
from xentool.tools import xl


@pytest.fixture(autouse=True)
def guest(monkeypatch: pytest.MonkeyPatch) -> PvGuest:
    """Domain 1, web, whatever host is asked."""
    made = PvGuest()

    @contextmanager
    def opened(_host: object, domain: str, _vcpu: int) -> Iterator[PvGuest]:
        xl.choose([xl.Domain(1, "web", "pv", 1)], domain)
        yield made

    monkeypatch.setattr(walk, "resolve", lambda _: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr("xentool.tools.memory.sources.opened", opened)
    return made


def ran(*words: str) -> Result:
    return CliRunner().invoke(walk.command, words)


@pytest.mark.parametrize("va", ["0xffffffff81a442b5", "ffffffff81a442b5", "0XFFFFFFFF81A442B5"])
def test_an_address_is_hexadecimal(va: str) -> None:
    done = ran("web", va)
    assert done.exit_code == 0
    assert "VA 0xffffffff81a442b5\n" in done.stdout
    assert "leads back to pfn 0x1a44" in done.stdout


def test_where_the_vcpu_is() -> None:
    told = json.loads(ran("web", "--rip", "--json").stdout)
    assert list(wrong(told, memory.Walk)) == []
    assert (told["va"], told["is_rip"], told["end"]) == ("0xffffffff81e0b2aa", True, "not present")


def test_an_address_as_json() -> None:
    told = json.loads(ran("1", hex(TEXT), "--json").stdout)
    assert list(wrong(told, memory.Walk)) == []
    assert told["paging"] == {
        "kind": "direct",
        "mode": "4-level",
        "root": hex(ROOT),
        "tables_hold": "machine frames",
    }
    assert [(level["level"], level["index"], level["table"]["frame"]["mfn"]) for level in told["levels"]] == [
        (4, 511, "0x15ce6e"),
        (3, 510, "0x149415"),
        (2, 13, "0x149416"),
        (1, 68, "0x14b413"),
    ]
    assert told["levels"][3]["entry"]["value"] == "0x10000148c44065"
    assert (told["address"], told["page"]["gfn"], told["page"]["owner"]) == ("0x148c442b5", "0x1a44", 1)


def test_a_range(guest: PvGuest) -> None:
    guest.memory.put(0x14B413, 69, 0x148C45000 | P)
    done = ran("web", "--pages", "0xffffffff81a44000-0xffffffff81a46800")
    assert done.exit_code == 0
    assert [line.split() for line in done.stdout.splitlines()[-4:]] == [
        ["VA", "pages", "mfn", "pfn", "may"],
        ["0xffffffff81a44000", "1", "x", "4", "KiB", "0x148c44", "0x1a44", "r-xu"],
        ["0xffffffff81a45000", "1", "x", "4", "KiB", "0x148c45", "0x1a45", "r-x-"],
        ["0xffffffff81a46000", "4", "KiB", "not", "present"],
    ]
    told = json.loads(ran("web", hex(TEXT), "--pages", "+2", "--json").stdout)
    assert list(wrong(told, memory.Range)) == []
    assert [(run["va"], run["bytes"]) for run in told["ranges"]] == [
        ("0xffffffff81a44000", 4096),
        ("0xffffffff81a45000", 4096),
    ]


def test_the_last_page_of_all_is_in_a_range() -> None:
    told = json.loads(ran("web", "ffffffffffffffff", "--pages", "+9", "--json").stdout)
    assert [(run["va"], run["bytes"], run["end"]) for run in told["ranges"]] == [
        ("0xfffffffffffff000", 4096, "not present")
    ]


def test_a_page_is_written(tmp_path: Path) -> None:
    assert ran("web", hex(TEXT), "--html", str(tmp_path / "walk.html")).exit_code == 0
    assert "<h1><code>0xffffffff81a442b5</code></h1>" in (tmp_path / "walk.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give VA, --rip or --pages START-END"),
        (("10000000000000000",), "is no address"),
        (("main",), "is no address"),
        (("1000", "--rip"), "--rip is an address itself"),
        (("--pages", "+4"), "counts from an address"),
        (("--pages", "+0"), "is no range"),
        (("--pages", "2000-1000"), "is no range"),
        (("1000", "--pages", "1000-2000"), "says where to begin"),
        (("1000", "--html", "-", "--json"), "leave out --json"),
    ],
)
def test_what_cannot_be_asked(words: tuple[str, ...], message: str) -> None:
    done = ran("web", *words)
    assert done.exit_code == 2
    assert message in done.stderr
