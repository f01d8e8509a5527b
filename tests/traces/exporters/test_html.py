"""`xentool report --html` in a browser: the numbers of the report, whatever the names, and nothing from elsewhere."""

import base64
import hashlib
import io
import json
import random
import re
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser import Browser
from tests.traces.captures import NAMES, capture
from tests.traces.damage import DAMAGES, piece
from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, change, record, window
from traces import scan as scans
from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses.report import DomainInfo
from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.explained import explain
from traces.exporters import html
from traces.exporters.words import LATENCIES
from traces.foreign import printable
from traces.reader import Reader, read
from traces.xen.formats import events as xentrace

STEP = re.compile(r"([vh])(-?\d+)")


def page(data: bytes, *, infos: dict[int, DomainInfo] | None = None, hz: float | None = None) -> tuple[str, Report]:
    scan = scans.read(io.BytesIO(data))
    report = report_of(scan, infos=infos, hz=hz)
    output = io.BytesIO()
    html.write(read(io.BytesIO(data), Reader()), report, output, "domU.xentrace")
    return output.getvalue().decode(), report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.fixture(scope="module", params=NAMES)
def opened(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Browser, dict[str, Any]]:
    """Give a capture's page, as it is shown, and its report's document."""
    folder = tmp_path_factory.mktemp("page")
    trace, out = folder / "domU.xentrace", folder / "domU.html"
    trace.write_bytes(capture(str(request.param)))
    command = [sys.executable, "-m", "xentool", "report", str(trace)]
    subprocess.run([*command, "--html", str(out)], check=True, timeout=300)
    document = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True, timeout=300).stdout)
    browser.open(out)
    return browser, document


def all_of(browser: Browser, selector: str, value: str) -> list[Any]:
    """Give what a JavaScript expression about ``one`` says of each element that a selector finds."""
    found = browser.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => {value})")
    assert isinstance(found, list)
    return found


def test_interrupts_of_guests_have_a_table() -> None:
    text, report = page(capture("xen-4.17-pvh"))
    (count,) = {one.count for domain in report.domains for vcpu in domain.vcpus for one in vcpu.interrupts}
    table = text.split('data-title="Guest interrupts"')[1].split("</table>")[0]
    assert re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", table.split("<tbody>")[1])[:2] == ["vector 243", f"{count:,}"]
    assert "Guest interrupts" not in page(capture("xen-4.17-pv1"))[0]


def heights(path: str) -> list[int]:
    found, height = [], 0
    for command, value in STEP.findall(path):
        if command == "v":
            height -= int(value)
        else:
            found += [height] * int(value)
    return found


def layers(paths: list[list[str]]) -> dict[str, list[int]]:
    """Give the heights that each layer of a stack adds, from names and paths, the highest first."""
    lines = [np.array(heights(path)) for _, path in paths]
    below = [*lines[1:], np.zeros_like(lines[0])]
    return {name: (line - under).tolist() for (name, _), line, under in zip(paths, lines, below, strict=True)}


def real(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in document["domains"] if one["domid"] not in (IDLE_DOMID, UNKNOWN_DOMID)]


def pixels(png: bytes) -> set[tuple[int, ...]]:
    """Give the colours of a PNG as Chromium writes it: eight bits a channel, not interlaced (W3C PNG, 9.2)."""
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, interlaced) == (8, 0)
    size = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        packed += png[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        at += 12 + length
    lines, above = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, -1).tolist(), [0] * width * size
    found = set()
    for kind, *line in lines:
        for i, up in enumerate(above):
            left, corner = (line[i - size], above[i - size]) if i >= size else (0, 0)
            paeth = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
            line[i] = line[i] + (0, left, up, (left + up) // 2, paeth)[kind] & 0xFF
        found |= {tuple(line[i : i + 3]) for i in range(0, len(line), size)}
        above = line
    return found


def test_the_timeline_shows_the_reports_run_states(opened: tuple[Browser, dict[str, Any]]) -> None:
    browser, document = opened
    span = document["capture"]["span_s"]
    paths = "[...one.querySelectorAll('path')].map((path) => [path.dataset.name, path.getAttribute('d')])"
    totals = "[...one.querySelectorAll('path')].map((path) => [path.dataset.name, Number(path.dataset.total)])"
    rows = all_of(browser, ".row[data-vcpu]", f"[one.dataset.domid, one.dataset.vcpu, {paths}, {totals}]")
    shown = {(int(domid), int(vcpu)): (drawn, dict(seconds)) for domid, vcpu, drawn, seconds in rows}
    assert set(shown) == {(one["domid"], vcpu["vcpu"]) for one in real(document) for vcpu in one["vcpus"]}
    for domain in real(document):
        for vcpu in domain["vcpus"]:
            drawn, seconds = shown[domain["domid"], vcpu["vcpu"]]
            expected = {name: state["seconds"] for name, state in vcpu["runstates"].items() if state["seconds"]}
            assert seconds == pytest.approx(expected, rel=1e-6)
            shares = layers(drawn)
            columns = {len(of) for of in shares.values()}
            assert columns == {1200}
            assert {sum(column) for column in zip(*shares.values(), strict=True)} == {100}
            # In whole percents, which round to either side.
            for name, of in shares.items():
                assert sum(of) / 100 / 1200 * span == pytest.approx(expected[name], abs=0.003 * span)


def test_pcpus_show_who_ran_there(opened: tuple[Browser, dict[str, Any]]) -> None:
    browser, document = opened
    span = document["capture"]["span_s"]
    (idle,) = [one for one in document["domains"] if one["domid"] == IDLE_DOMID]
    seconds = "[...one.querySelectorAll('path')].map((path) => Number(path.dataset.total))"
    rows = dict(all_of(browser, ".row[data-pcpu]", f"[one.dataset.pcpu, {seconds}]"))
    assert [int(pcpu) for pcpu in rows] == document["capture"]["pcpus"]
    for vcpu in idle["vcpus"]:
        busy = span - vcpu["runstates"]["running"]["seconds"]
        assert sum(rows[str(vcpu["vcpu"])]) == pytest.approx(busy, abs=0.01 * span)


@pytest.mark.parametrize("kind", ["hypercalls", "exits"])
def test_rates_add_up_to_the_reports_counts(opened: tuple[Browser, dict[str, Any]], kind: str) -> None:
    browser, document = opened
    title = {"hypercalls": "Hypercalls over time", "exits": "VM exits over time"}[kind]
    for domain in real(document):
        counts = Counter[str]()
        for vcpu in domain["vcpus"]:
            counts.update({one["name"]: one["count"] for one in vcpu[kind]})
        place = f"#d{domain['domid']} .plot[aria-label='{title}'] path"
        drawn = all_of(browser, place, "[one.dataset.name, one.getAttribute('d'), Number(one.dataset.total)]")
        legend = [
            (name, int(count))
            for of, entries in all_of(
                browser,
                f"#d{domain['domid']} figure",
                "[one.querySelector('h3').textContent, [...one.querySelectorAll('.legend b')].map((b) =>"
                " [b.previousSibling.textContent.trim(), b.dataset.count])]",
            )
            if of == title
            for name, count in entries
        ]
        top = dict(counts.most_common(8))
        rest = counts.total() - sum(top.values())
        expected = top | ({"other": rest} if rest else {})
        assert {name: total for name, _, total in drawn} == expected
        assert dict(legend) == expected
        if drawn:
            columns = layers([[name, path] for name, path, _ in drawn])
            assert {name: sum(of) for name, of in columns.items()} == expected
            assert {len(of) for of in columns.values()} == {120}


def test_tables_and_histograms_hold_the_reports_values(opened: tuple[Browser, dict[str, Any]]) -> None:
    browser, document = opened
    for domain in real(document):
        place = f"#d{domain['domid']}"
        cells = "[...one.rows].map((row) => [...row.cells].map((cell) => cell.dataset.value ?? cell.textContent))"
        tables = dict(all_of(browser, f"{place} table", f"[one.dataset.title, {cells}]"))
        made = {row[0]: int(row[2]) for row in tables["Hypercalls"][1:]}
        counts = Counter[str]()
        for vcpu in domain["vcpus"]:
            counts.update({one["name"]: one["count"] for one in vcpu["hypercalls"]})
        assert made == counts
        latencies = {row[0]: [float(value) for value in row[1:]] for row in tables["Latencies"][1:]}
        for vcpu in domain["vcpus"]:
            for name, what in LATENCIES.items():
                if name in vcpu["latencies"]:
                    told = [
                        value for key, value in vcpu["latencies"][name].items() if key not in ("histogram", "seconds")
                    ]
                    assert latencies[f"{what} v{vcpu['vcpu']}"] == pytest.approx(told)
        bars = all_of(
            browser,
            f"{place} .plot:has(.bar)",
            "[one.getAttribute('aria-label'),"
            " [...one.querySelectorAll('.bar')].map((bar) => Number(bar.dataset.count))]",
        )
        shown = {title: sum(of) for title, of in bars}
        for title, name in (
            ("From waking until running", "wake_to_run"),
            ("From being preempted until running again", "preempted_to_run"),
            ("In Xen for a VM exit", "exits"),
        ):
            count = sum(vcpu["latencies"].get(name, {"count": 0})["count"] for vcpu in domain["vcpus"])
            assert shown.get(title, 0) == count


def test_graphs_have_the_reports_edges(opened: tuple[Browser, dict[str, Any]]) -> None:
    browser, document = opened
    values = "[one.dataset.from, one.dataset.to, one.dataset.count].map(Number)"
    edges = {
        title: {tuple(edge) for edge in all_of(browser, f".graph[aria-label='{title}'] .edge", values)}
        for title in ("Grants", "Notifications")
    }
    assert edges["Grants"] == {(one["mapper"], one["granter"], one["maps"]) for one in document["grants"]}
    assert edges["Notifications"] == {(one["from"], one["to"], one["count"]) for one in document["notifications"]}


def test_findings_and_limits_are_told(opened: tuple[Browser, dict[str, Any]]) -> None:
    browser, document = opened
    assert all_of(browser, ".finding p", "one.textContent") == [one["text"] for one in document["findings"]]
    assert all_of(browser, "#limits li", "one.textContent") == document["not_recorded"]
    facts = dict(all_of(browser, "header .facts > div", "[one.children[0].textContent, one.children[1].textContent]"))
    assert facts["Lost"] == "none"
    assert facts["Records"].startswith(f"{document['capture']['records']:,} ")
    clock = document["capture"]
    assert facts["Clock"].startswith(f"{clock['hz'] / 1e9:.4f} GHz ±")
    assert ("assumed" in facts["Clock"]) == (clock["hz_source"] == "default")


def test_it_asks_for_nothing_and_complains_of_nothing(opened: tuple[Browser, dict[str, Any]]) -> None:
    browser, _ = opened
    assert [address.split(":")[0] for address in browser.requests()] == ["file"]
    assert browser.complaints() == []
    source = browser.evaluate("document.documentElement.outerHTML")
    assert not re.search(r"https?:|@import|\bsrc=|srcset=|<link|<iframe|<img", source)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)', source))
    assert set(re.findall(r"url\(([^)]*)", source)) <= {"#arrow", "&quot;#arrow&quot;"}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_is_drawn_in_colours_and_fits(browser: Browser, tmp_path: Path, width: int, dark: bool) -> None:
    out = tmp_path / "x.html"
    out.write_text(page(capture("xen-4.17-pvh"))[0])
    # The charts are there without the script.
    browser.open(out, width=width, dark=dark, script=False)
    drawn = pixels(browser.screenshot(".row[data-vcpu] .stack"))
    assert len(drawn) > 20
    browser.open(out, width=width, dark=dark)
    for name in ("running", "runnable", "blocked"):
        (fill, *_) = all_of(browser, f".legend .{name}", "getComputedStyle(one).fill")
        assert tuple(map(int, re.findall(r"\d+", fill))) in drawn
    back = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", back))) < 200) == dark
    # Nothing is wider than the page, and every chart has its room.
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert min(all_of(browser, ".stack, .plot, .graph", "one.getBoundingClientRect().width")) > 0.6 * min(width, 600)
    assert browser.complaints() == []


def test_the_pointer_tells_values(browser: Browser, tmp_path: Path) -> None:
    out = tmp_path / "x.html"
    out.write_text(page(capture("xen-4.17-pv1"))[0])
    browser.open(out)
    tip = "document.getElementById('tip')"
    assert browser.evaluate(f"{tip}.hidden")
    browser.point(".row[data-vcpu] .stack", 0.5004, 0.5)
    lines = browser.evaluate(f"{tip}.textContent").split("\n")
    assert re.fullmatch(r"\d\.\d{4} s", lines[0])
    values = [re.fullmatch(r"(running|runnable|blocked)  (\d+) %", line) for line in lines[1:]]
    assert sum(int(value[2]) for value in values if value) == 100
    # Above all that is drawn there, too.
    place = "#d0 .plot[aria-label='Hypercalls over time'] .stack"
    browser.point(place, 60.5 / 120, 0.02)
    told = browser.evaluate(f"{tip}.textContent").split("\n")
    paths = all_of(browser, f"{place} path", "[one.dataset.name, one.getAttribute('d')]")
    span = float(all_of(browser, place, "one.dataset.span")[0])
    expected = {name: of[60] / (span / 120) for name, of in layers(paths).items() if of[60]}
    rates = dict(line.split("  ") for line in told[1:])
    assert {name: int(rate.removesuffix("/s").replace(",", "")) for name, rate in rates.items()} == pytest.approx(
        expected, abs=0.5001
    )
    browser.point("h1", 0.5, 0.5)
    assert browser.evaluate(f"{tip}.hidden")


def test_names_are_explained_once_and_beside_each() -> None:
    text, report = page(capture("xen-4.17-pvh"))
    names = re.findall(r'<th scope="row" aria-describedby="(w\d+)">([^<]*)<', text)
    told = dict(re.findall(r'<div id="(w\d+)"><dt>([^<]*) <small>', text))
    assert len(told) == text.count('<div id="w')
    assert {of: name.replace(" ", "_") for of, name in names}.items() <= told.items()
    shown = {call.name for one in report.domains for vcpu in one.vcpus for call in vcpu.hypercalls}
    assert shown <= {name for _, name in names}
    # That trace was made by AMD's processor.
    (ident,) = {of for of, name in names if name == "CPUID"}
    assert f'<div id="{ident}"><dt>CPUID <small>SVM exit</small>' in text
    assert "EPT_VIOLATION" not in text


def test_the_pointer_tells_what_a_name_means(browser: Browser, tmp_path: Path) -> None:
    out = tmp_path / "x.html"
    out.write_text(page(capture("xen-4.17-pv1"))[0])
    browser.open(out)
    tip = "document.getElementById('tip')"
    (call,) = explain("stack_switch")
    browser.evaluate("[...document.querySelectorAll('th')].find((one) => one.textContent === 'stack_switch').id = 'at'")
    browser.point("#at", 0.5, 0.5)
    assert browser.evaluate(f"{tip}.textContent").split("\n") == [
        "stack_switch hypercall", call.why, call.when, call.look.replace("`", ""),
    ]  # fmt: skip
    assert browser.evaluate(f"{tip}.getBoundingClientRect().right <= innerWidth")
    browser.point("h1", 0.5, 0.5)
    assert browser.evaluate(f"{tip}.hidden")


def test_a_click_sorts_a_table(browser: Browser, tmp_path: Path) -> None:
    out = tmp_path / "x.html"
    out.write_text(page(capture("xen-4.17-pvh"))[0])
    browser.open(out)
    table = "table[data-title='VM exits']"
    counts = f"{table} tbody td:nth-child(2)"
    browser.evaluate(f'document.querySelector("{table} thead th:nth-child(2)").click()')
    first = [int(value) for value in all_of(browser, counts, "one.dataset.value")]
    browser.evaluate(f'document.querySelector("{table} thead th:nth-child(2)").click()')
    second = [int(value) for value in all_of(browser, counts, "one.dataset.value")]
    assert first == sorted(first, reverse=True)
    assert second == sorted(first)
    assert len(first) > 5


NAMES_OF_DOMAINS = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</style></title><script>window.hacked = 1</script>",
    "{{ 7 * 7 }}' onload='window.hacked = 1",
    "\ud800 half a character\x1b\u202e",
)


@pytest.mark.parametrize("name", NAMES_OF_DOMAINS)
def test_a_hostile_name_is_only_a_name(browser: Browser, tmp_path: Path, name: str) -> None:
    data = capture("xen-4.17-pv1")
    _, report = page(data)
    (guest,) = [one.domid for one in report.domains if 0 < one.domid < IDLE_DOMID]
    text, _ = page(data, infos={guest: DomainInfo(name, name)})
    out = tmp_path / "x.html"
    out.write_text(text)
    browser.open(out)
    shown = printable(name)
    heading = browser.evaluate(f"document.querySelector('#d{guest} h2').firstChild.textContent.trim()")
    assert heading == shown
    assert shown in all_of(browser, "#timeline h3", "one.textContent")
    assert browser.evaluate("[window.hacked, document.scripts.length, document.images.length]") == [None, 1, 0]
    assert browser.complaints() == []


def test_the_page_itself_forbids_what_it_does_not_need() -> None:
    text, _ = page(capture("xen-4.17-pv1"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules.pop("default-src") == "'none'"
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules.pop(directive) == f"'sha256-{digest}'"
    assert rules == {}


def test_more_than_a_browser_bears_is_cut_and_told() -> None:
    body, tsc = b"", 100
    for domid in range(3000):
        tsc += 10
        body += change(tsc, domid, 0, RUNNABLE, RUNNING) + record(xentrace.PV_HYPERCALL_V2, tsc + 1, domid % 500)
        body += record(xentrace.GRANT_MAP, tsc + 2, domid * 7 % 3000) + change(tsc + 5, domid, 0, RUNNING, BLOCKED)
    for vcpu in range(1000):
        tsc += 10
        body += change(tsc, 7, vcpu, RUNNABLE, RUNNING) + change(tsc + 5, 7, vcpu, RUNNING, BLOCKED)
    text, report = page(window(0, body), hz=1e9)
    assert len(report.domains) == 3000
    assert len(text) < 600_000
    assert "Only the busiest are drawn" in text
    assert "only the 32 busiest of 3,000 domains; only the first 64 vCPUs of a domain" in text
    assert "2,800 more rows are in the report&#39;s JSON" in text or "2,800 more rows are in the report's JSON" in text


@pytest.mark.parametrize(
    "body",
    [
        record(0x28003, 100),
        change(100, 1, 0, RUNNABLE, RUNNING) + record(xentrace.PV_HYPERCALL_V2, 100, 1),
        record(xentrace.PV_HYPERCALL_V2, 100, 1) + record(xentrace.PV_HYPERCALL_V2, 5000, 1),
    ],
    ids=["nothing", "no time", "nobody"],
)
def test_a_trace_of_almost_nothing_has_a_page(body: bytes) -> None:
    text, _ = page(window(0, body), hz=1e9)
    assert "Nothing that calls for attention." in text
    assert "nan" not in re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", DAMAGES)
def test_no_damage_breaks_a_page(name: str) -> None:
    for seed in range(2):
        chance = random.Random(f"{name} {seed}")  # noqa: S311 - repeatable, not secret
        data = bytearray(piece(chance.choice(NAMES)))
        DAMAGES[name](data, chance)
        if any(Reader().feed(bytes(data))):
            page(bytes(data))
