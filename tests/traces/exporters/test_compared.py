"""A comparison as text, whole, and as a document."""

import io
import json

from tests.traces.phases.comparisons import made
from traces.exporters import compared
from traces.exporters.drawn import Plain
from traces.exporters.html import compared as html
from xentool.output import stdout


def text(*, emulated: bool = True, kinds: bool = False) -> str:
    out = io.StringIO()
    compared.write(made(emulated=emulated), Plain(out, 200, stdout), kinds=kinds)
    return out.getvalue()


def test_the_text_is_a_table_of_figures_and_one_of_shares_for_each_work() -> None:
    assert (
        text()
        == """\
xen-pv: Xen, direct paging; Xen 4.17; blkback
kvm-emulated: KVM, IDE; KVM; QEMU
xen-hvm: left out. it was not seen to start

disk-write, per request        xen-pv   kvm-emulated
────────────────────────────────────────────────────
doorbells                        1.00          26.00
VM exits                            -          40.00
hypercalls                12.50 ±0.25              -
grants mapped                    1.00              -
  a request: 4 KiB written; 200 of them in each of 2 phases

disk-write, share of time   xen-pv   kvm-emulated
─────────────────────────────────────────────────
guest                        25.0%          12.5%
device model                     -          37.5%
backend, besides             50.0%              -

± is half of the 95 % confidence interval over repeats. Counts of phases that hold no work are taken off.
The processors were emulated: counts are what they are on real ones, times are not. So times are told as shares alone, \
and by them no technique is better than another.
"""
    )


def test_kinds_are_told_where_they_are_asked_for() -> None:
    shown = text(kinds=True)
    assert shown.startswith(text().rstrip()[:200])
    lines = [line.split() for line in shown.splitlines()]
    assert ["out", "0x1f7", "-", "1.00"] in lines
    assert ["event_channel_op", "1.00", "-"] in lines
    assert "out 0x1f7" not in text()


def test_real_processors_have_times() -> None:
    rows = [line.split() for line in text(emulated=False).splitlines()]
    assert ["µs", "per", "request", "1,000.0", "2,000.0"] in rows
    assert "µs" not in text()
    assert "emulated" in text()
    assert "emulated:" not in text(emulated=False).split("\n\n")[-1]


def test_the_document_has_all_of_it() -> None:
    found = json.loads(json.dumps(compared.document(made())))
    assert found["schema"] == "xentool.compare/1"
    assert found["techniques"][0]["works"][0]["figures"]["hypercalls"] == {
        "mean": 12.5,
        "plus_minus": 0.25,
        "repeats": [12.4, 12.6],
    }
    assert found["left_out"] == {"xen-hvm": "it was not seen to start"}


def test_the_page_has_a_table_with_bars_for_each_figure_in_which_techniques_are_rows() -> None:
    tables = {one.title: one for one in html.contents(made()).works[0].tables}
    assert [[cell.text for cell in row] for row in tables["doorbells"].rows] == [
        ["xen-pv", "", "1.00"],
        ["kvm-emulated", "", "26.00"],
    ]
    assert [row[1].bar for row in tables["doorbells"].rows] == [1 / 26, 1.0]
    assert [row[1].bar for row in tables["device model"].rows] == [0.0, 0.375]
    shown = html.page(made()).decode()
    assert "it was not seen to start" in shown
    assert "no technique is better than another" in shown
    assert "<script>" in shown
    assert "http" not in shown.replace("http-equiv", "")
