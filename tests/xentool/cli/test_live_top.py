"""What looks on at a running trace: a capture taken for one, in pieces, against the report and dump of all of it."""

import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from tests.traces.captures import capture
from tests.xentool.cli.running import run
from traces.analyses.report import DomainInfo
from traces.analyses.report import report as report_of
from traces.choice.where import Where, kinds
from traces.exporters import dump
from traces.scan import Scan
from xentool.cli.screens.follow import Follow
from xentool.cli.screens.live_top import Page, Shown, document, picture, shown
from xentool.cli.screens.sample import Moment, between, sample
from xentool.tools.tracing.trace import Running

NAME = "xen-4.20-pvh"
DOMID = 3


def running(where: Where) -> Running:
    return Running(where, 2.596e9, Scan(pcpus=where.pcpus), time.monotonic() - 1, lambda: None)


def fed(where: Where, show: Callable[[Running, bytes], None], pieces: int = 7) -> Running:
    data, trace = capture(NAME), running(where)
    step = len(data) // pieces + 1
    for start in range(0, len(data), step):
        trace.scan.feed(data[start : start + step])
        show(trace, data[start : start + step])
    show(trace, b"")
    return trace


def samples(where: Where) -> list[Moment]:
    found = [Moment()]
    fed(where, lambda trace, _chunk: found.append(sample(trace)))
    return found


def drawn(page: Page, taken: list[Moment], width: int, height: int = 24) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=width).print(picture("domU", page, taken[-1], taken[0], height))
    return text.getvalue().splitlines()


def test_the_last_moment_is_taken_and_its_rates_are_of_no_instant() -> None:
    now = [10.0]
    trace = replace(running(Where(domid=DOMID)), started=10.0, clock=lambda: now[0])
    moments = Shown()
    for moment, last, taken, before in (
        (10.4, False, False, 0.0),
        (11.0, False, True, 0.0),
        (11.9, False, False, 0.0),
        (12.0, False, True, 1.0),
        # The trace is over: no more time passes.
        (12.0, True, True, 1.0),
    ):
        now[0] = moment
        assert moments.take(trace, 1.0, last=last) == taken
        assert moments.before.seconds == before
        assert moments.now.seconds == (moment - 10 if taken else int(moment - 10))
    first = Shown()
    now[0] = 10.0
    assert first.take(trace, 1.0, last=True)
    assert between(first.before, first.now) > 0


def test_counts_are_the_reports() -> None:
    trace = fed(Where(domid=DOMID), lambda _trace, _chunk: None)
    trace.scan.finish()
    last = sample(trace)
    domain = next(one for one in report_of(trace.scan, hz=trace.hz).domains if one.domid == DOMID)
    for vcpu in domain.vcpus:
        assert {call.name: call.count for call in vcpu.hypercalls} == {
            name: tally.count for name, tally in last.shown.hypercalls.items()
        }
        assert {one.name: one.count for one in vcpu.exits} == {name: of.count for name, of in last.shown.exits.items()}
        assert last.shown.waits.keys() == {
            f"{name} v{vcpu.vcpu}"
            for what, name in (("wake_to_run", "wake to run"), ("preempted_to_run", "preempted"))
            if what in vcpu.latencies
        }
        for what, name in (("wake_to_run", "wake to run"), ("preempted_to_run", "preempted")):
            if what in vcpu.latencies:
                tally = last.shown.waits[f"{name} v{vcpu.vcpu}"]
                assert tally.count == vcpu.latencies[what].count
                assert tally.seconds == pytest.approx(vcpu.latencies[what].seconds)
        seconds = {name: tally.seconds for name, tally in last.shown.exits.items()}
        assert seconds == {one.name: pytest.approx(one.seconds) for one in vcpu.exits}
        assert last.shown.runstates == {
            f"v{vcpu.vcpu}": {name: pytest.approx(state.seconds) for name, state in vcpu.runstates.items()}
        }


def test_counts_only_grow() -> None:
    taken = samples(Where(domid=DOMID))
    for before, after in pairwise(taken):
        for name in before.shown.exits:
            assert after.count("exits", name) >= before.count("exits", name)
    assert taken[-1].count("exits", "RDTSC") > taken[1].count("exits", "RDTSC") > 0


def test_keys_choose_and_sort() -> None:
    taken, page = samples(Where(domid=DOMID)), Page()
    assert page.press("x")
    rows = page.rows(taken[-1], taken[0])
    rates = [row.values["per s"] or 0.0 for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert page.press("<")
    names = [row.name for row in page.rows(taken[-1], taken[0])]
    assert names == sorted(names)
    assert page.press("r")
    assert [row.name for row in page.rows(taken[-1], taken[0])] == names[::-1]
    assert page.press("<")  # round to the last column
    means = [row.values["mean"] or 0.0 for row in page.rows(taken[-1], taken[0])]
    assert page.press("r")
    assert means == sorted(means)
    assert page.press("\t")
    assert page.view.title == "Waits"
    assert not page.press("?")


@pytest.mark.parametrize("width", [80, 200])
def test_a_page_fits(width: int) -> None:
    taken, page = samples(Where(domid=DOMID)), Page()
    page.press("x")
    lines = drawn(page, taken, width, height=10)
    assert len(lines) <= 10
    assert max(map(len, lines)) <= width
    assert lines[1].startswith("[h] Hypercalls  [x] VM exits")
    assert "more; < > sort by another column" in lines[-1]
    assert any(line.startswith("RDTSC ") and "µs" in line for line in lines)


def test_a_choice_is_all_that_is_shown() -> None:
    last = samples(Where(domid=DOMID, kinds=kinds("vcpu_op"), vcpus=frozenset({0})))[-1]
    assert set(last.shown.hypercalls) == {"vcpu_op"}
    assert (last.shown.exits, last.shown.runstates, last.shown.notifications) == ({}, {}, {})


def test_lines_and_objects_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("domU", as_json=True) as show:
        fed(Where(domid=DOMID), show)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[-1]["vm_exits"]["RDTSC"].keys() == {"per_s", "count", "in_xen", "mean_s"}
    assert found[-1]["records"] > 50_000
    assert sum(found[-1]["vcpus"]["v0"].values()) == pytest.approx(1)
    with shown("domU", as_json=False) as show:
        fed(Where(domid=DOMID), show)
    text = capsys.readouterr().out
    assert "Tracing domU for " in text
    assert "\x1b" not in text
    assert document(Moment(seconds=1), Moment())["hypercalls"] == {}


@pytest.mark.parametrize("as_json", [False, True])
def test_records_are_those_of_a_dump(as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = Where(domid=DOMID, kinds=kinds("exit,hypercall"))
    fed(where, Follow(dump.plain, as_json=as_json).show)
    followed = capsys.readouterr().out.splitlines()
    path = tmp_path / "x"
    path.write_bytes(capture(NAME))
    words = ["--domain", str(DOMID), "-e", "exit,hypercall", "--hz", "2.596e9", *(["--json"] if as_json else [])]
    assert followed == run("dump", str(path), *words).stdout.splitlines()
    assert len(followed) > 20_000


def test_only_what_was_slow() -> None:
    everything = samples(Where(domid=DOMID))[-1].shown
    slow = samples(Where(domid=DOMID, slower=100e-6))[-1].shown
    assert 0 < slow.exits["RDTSC"].count < everything.exits["RDTSC"].count / 10
    assert 0 < slow.waits["wake to run v0"].count < everything.waits["wake to run v0"].count
    assert slow.exits["RDTSC"].seconds is None
    assert slow.hypercalls == everything.hypercalls


def test_names_are_the_reports_and_programs_get_numbers() -> None:
    trace = fed(Where(domid=DOMID), lambda _trace, _chunk: None)
    infos = {DOMID: DomainInfo("web[/x]\x1b", "pvh"), 0: DomainInfo("Domain-0", "pv")}
    last = replace(sample(trace), infos=infos)
    page = Page()
    page.press("n")
    lines = drawn(page, [Moment(), last], 120)
    assert lines[0].startswith(r"Tracing web[/x]\x1b for ")
    assert any(line.startswith(r"Domain-0 → web[/x]\x1b ") for line in lines)
    assert "d0 → d3" in document(last, Moment())["notifications"]  # type: ignore[operator] # an object, as JSON has it


@pytest.mark.parametrize(
    ("key", "where", "mode", "why"),
    [
        ("h", Where(domid=DOMID, kinds=kinds("sched")), "pvh", "-e leaves hypercalls out"),
        ("x", Where(domid=DOMID, kinds=kinds("sched")), "pvh", "-e leaves VM exits out"),
        ("x", Where(domid=77), "pv", "a PV guest has no VM exits"),
        ("x", Where(domid=77), "pvh", "none so far"),
        ("w", Where(domid=DOMID, kinds=kinds("grant")), "pvh", "-e leaves run states out"),
        ("n", Where(domid=DOMID, vcpus=frozenset({0})), "pvh", "known by domain only: leave out --vcpu"),
        ("n", Where(domid=DOMID, kinds=kinds("iret")), "pvh", "-e leaves event_channel_op out"),
        ("v", Where(domid=77), "pv", "a vCPU is shown from its first change of run state on"),
    ],
)
def test_an_empty_page_says_why(key: str, where: Where, mode: str, why: str) -> None:
    now = Moment(1.0, 24, 1, 0, where=where, infos={where.domid or 0: DomainInfo("web", mode)})
    page = Page()
    page.press(key)
    assert why in "\n".join(drawn(page, [Moment(), now], 100))
    assert "no record has come yet" in "\n".join(drawn(Page(), [Moment(), replace(now, records=0, where=Where())], 100))
