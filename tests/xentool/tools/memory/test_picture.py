"""What people, programs and browsers are shown of a walk."""

import re
from html.parser import HTMLParser

import pytest

from tests.xentool.tools.memory.guests import LARGE, TEXT, D, P, PvGuest, W
from xentool.tools.memory import picture, words
from xentool.tools.memory.guest import XEN, Facts
from xentool.tools.memory.look import look, runs
from xentool.tools.memory.page import page
from xentool.tools.memory.walk import End

PICTURE = """\
web (domain 1, pv), vCPU 0 in kernel mode at 0xffffffff81e0b2aa
4-level tables, direct paging: the processor itself walks the guest's tables,
so they hold machine frames; Xen checks each change of them, and the guest
cannot write there by itself

VA 0xffffffff81a442b5
  bits     63…48     47…39     38…30     29…21     20…12      11…0
          0xffff       511       510        13        68     0x2b5

  root at 0x15ce6e000
  ▼       ┌ L4 table, mfn 0x15ce6e, pfn 0x15c6e, type L4, pinned ─────────────┐
  511 ───►│ 0x0000000149415067 ──► table at mfn 0x149415                      │
          │ writable, user, accessed                                          │
  ┌───────┴───────────────────────────────────────────────────────────────────┘
  ▼       ┌ L3 table, mfn 0x149415, pfn 0x2215, type L3 ──────────────────────┐
  510 ───►│ 0x0000000149416067 ──► table at mfn 0x149416                      │
          │ writable, user, accessed                                          │
  ┌───────┴───────────────────────────────────────────────────────────────────┘
  ▼       ┌ L2 table, mfn 0x149416, pfn 0x2216, type L2 ──────────────────────┐
  13 ────►│ 0x000000014b413067 ──► table at mfn 0x14b413                      │
          │ writable, user, accessed                                          │
  ┌───────┴───────────────────────────────────────────────────────────────────┘
  ▼       ┌ L1 table, mfn 0x14b413, pfn 0x4213, type L1 ──────────────────────┐
  68 ────►│ 0x0010000148c44065 ──► page at mfn 0x148c44                       │
          │ read-only, user, accessed, dirty, kernel's                        │
  ┌───────┴───────────────────────────────────────────────────────────────────┘
  ▼       ┌ page of 4 KiB, mfn 0x148c44, pfn 0x1a44 ──────────────────────────┐
  +0x2b5 ►│ the byte is at 0x148c442b5                                        │
          │ mfn 0x148c44 is of domain 1                                       │
          │ Xen's table of machine frames leads back to pfn 0x1a44            │
          │ all levels together allow: readable, user, executable             │
          └───────────────────────────────────────────────────────────────────┘

kernel's: a 64-bit PV kernel runs in ring 3, as user mode does, so Xen sets
`user` for its pages too and tells them apart by bit 52."""


def drawn(guest: PvGuest, va: int) -> str:
    return "\n".join(picture.one(look(guest, va)))


def test_the_picture_of_a_pv_guests_kernel_text() -> None:
    assert drawn(PvGuest(), TEXT) == PICTURE


@pytest.mark.parametrize("va", [0, TEXT, 1 << 47, 0xFFFF800000000000, (1 << 64) - 1])
def test_no_line_is_wider_than_a_terminal_of_80_columns(va: int) -> None:
    guest = PvGuest("a" * 70)
    guest.memory.put(0x15CE6E, 0, (1 << 52) - 4096 | P)
    guest.memory.put(0x15CE6E, 256, 0xFFFFFFFFFF067 | 0x7FF << 52)
    guest.memory.put(0x14B413, 511, (1 << 64) - 1)
    assert max(len(line) for line in drawn(guest, va).splitlines()) < 80


def test_a_name_cannot_act_on_a_terminal_or_a_page() -> None:
    guest = PvGuest("\x1b[2J<script>alert(1)</script>")
    assert "\x1b" not in drawn(guest, TEXT)
    made = page(look(guest, TEXT)).decode()
    assert "<script" not in made
    assert "&lt;script&gt;" in made


def test_a_large_pages_offset_takes_the_bits_of_levels_that_are_not_there() -> None:
    guest = PvGuest()
    guest.memory.put(0x149416, 14, 0x200000 | LARGE | W | D | P)
    said = drawn(guest, 0xFFFFFFFF81D23456)
    assert re.search(r"bits +63…48 +47…39 +38…30 +29…21 +20…0$", said, re.MULTILINE)
    assert re.search(r"0xffff +511 +510 +14 +0x123456$", said, re.MULTILINE)
    assert "page of 2 MiB, mfn 0x323, pfn" in said
    assert "\n  offset ►│ the byte is at 0x323456  " in said
    assert max(map(len, said.splitlines())) < 80


@pytest.mark.parametrize(
    ("va", "said"),
    [
        (0, "not present: an access here is a page fault"),
        (1 << 47, "not canonical: the bits above the highest that tables know must repeat it"),
        (0xFFFF800000000000, "these are Xen's own addresses, the same in each PV guest, and so are their tables"),
        (0xFFFF880000000000, "this table cannot be read: it is none of the guest's memory"),
    ],
)
def test_why_a_walk_ends_early(va: int, said: str) -> None:
    guest = PvGuest()
    guest.memory.put(0x15CE6E, 256, 0x777000 | P)
    guest.memory.put(0x15CE6E, 272, 0x777000 | P)
    assert " ".join(drawn(guest, va).split()).endswith(said)


def test_whose_a_frame_is() -> None:
    subject = PvGuest().subject
    assert [
        words.owner(subject, facts) for facts in (Facts(5, owner=0), Facts(5, owner=XEN), Facts(5), Facts(gfn=5))
    ] == [
        "of domain 0, which shares it by a grant",
        "of Xen itself",
        "of nobody that Xen tells",
        None,
    ]
    assert words.owner(subject, Facts(5, owner=1, special=True)) == "of domain 1, a page of Xen's that it shares"


def test_a_range_is_told_by_what_is_alike_and_lies_together() -> None:
    guest = PvGuest()
    # Three in a row, which were used or not; another with other rights; one elsewhere, of another domain.
    for index, entry in ((69, 0x148C45065), (70, 0x148C46005), (71, 0x148C47067), (72, 0x555067)):
        guest.memory.put(0x14B413, index, entry | 1 << 52)
    guest.foreign[0x555] = Facts(0x555, owner=0)
    start = TEXT & -4096
    found, last = runs(guest, start, start + 6 * 4096)
    assert last == start + 6 * 4096
    assert list(picture.many(found, guest.subject)) == [
        ("0xffffffff81a44000", "3 x 4 KiB", "0x148c44", "0x1a44", "r-xu", ""),
        ("0xffffffff81a47000", "1 x 4 KiB", "0x148c47", "0x1a47", "rwxu", ""),
        ("0xffffffff81a48000", "1 x 4 KiB", "0x555", "", "rwxu", "of domain 0, which shares it by a grant"),
        ("0xffffffff81a49000", "4 KiB", "", "", "not present", ""),
    ]
    assert sum(run.bytes for run in found) == 6 * 4096


def test_a_range_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xentool.tools.memory.look.MOST", 10)
    found, last = runs(PvGuest(), TEXT & -4096, 1 << 64)
    assert (len(found), found[1].end, last) == (2, End.ABSENT, (TEXT & -4096) + 10 * 4096)


class Words(HTMLParser):
    """What a browser shows of a page, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.loads: list[str] = []

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.said.append(" ".join(data.split()))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href")]


def test_the_page_has_what_the_picture_has() -> None:
    words_of = Words()
    words_of.feed(page(look(PvGuest(), TEXT)).decode())
    assert words_of.loads == []
    for said in (
        "0xffffffff81a442b5",
        "47…39",
        "L4 table",
        "· pfn 0x15c6e",
        "· type L4, pinned",
        "0x0010000148c44065",
        "──► page at mfn 0x148c44",
        "kernel's",
        "+0x2b5",
        "Xen's table of machine frames leads back to pfn 0x1a44",
    ):
        assert said in words_of.said
