"""Our own drivers pass every case that they have a part in, whatever way they take to pages."""

import pytest

from pvdrivers.block.back.backend import Options
from pvdrivers.block.back.backqueue import BackQueue
from pvdrivers.block.front import frontend
from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Verdict
from pvdrivers.conformance.level import SMALL
from pvdrivers.conformance.run import Plan, run
from pvdrivers.conformance.subject import Subject
from pvdrivers.net.front import frontend as net
from pvdrivers.net.nodes import Offer, Takes
from tests.xentool.tools.conformance.mutants import text
from xentool.tools.conformance.disk_process import block_backend_process
from xentool.tools.conformance.our_disks import block_backend, block_frontend
from xentool.tools.conformance.our_vifs import net_backend, net_frontend
from xentool.tools.conformance.vif_process import net_backend_process


def judged(subject: Subject, *patterns: str) -> dict[str, str]:
    """Give what did not pass, and why."""
    cases = registry.chosen(subject.device, subject.role, patterns)
    results = run(subject, cases, Plan(SMALL))
    assert len(results) == len(cases) > 0
    return {one.case.ident: f"{one.verdict}: {one.observation}" for one in results if one.verdict is not Verdict.PASS}


def test_our_block_backend() -> None:
    assert judged(block_backend()) == {}


def test_our_block_frontend() -> None:
    assert judged(block_frontend()) == {}


def test_our_block_frontend_that_wants_all_there_is() -> None:
    options = frontend.Options(max_queues=4, max_indirect=256, data_pages=300)
    assert judged(block_frontend(options), "BF02", "BF12", "BF14") == {}


def test_our_block_backend_that_maps() -> None:
    # Where the way to pages makes a difference.
    assert judged(block_backend(Options(grants="map")), "BB01", "BB06", "BB07", "BB24", "BB27") == {}


def test_a_backend_without_what_is_optional_is_not_blamed_for_it() -> None:
    subject = block_backend(Options(max_order=0, max_queues=1, max_indirect=0, persistent=False))
    found = judged(subject, "BB02", "BB03", "BB05", "BB22")
    # An indirect request is refused all the same.
    assert found == {"BB05": "unsupported: feature-max-indirect-segments is not offered"}


def test_a_backend_that_wraps_nothing_may_name_what_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = block_backend(Options(max_indirect=0))
    for operation, found in ((6, {}), (5, {"BB22": "fail: where none are offered: misnamed (operation 5)"})):
        text(BackQueue._begin, "error.ident, error.operation,", f"error.ident, {operation},")(monkeypatch)
        assert judged(subject, "BB22") == found
        monkeypatch.undo()


def test_a_backend_may_answer_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    text(BackQueue._begin, "self._start(jobs)\n", "self._start(jobs[::-1])\n")(monkeypatch)
    assert judged(block_backend(), "BB02") == {}


def test_our_net_backend() -> None:
    assert judged(net_backend()) == {"NB02": "unsupported: it waits for no script"}


def test_a_net_backend_without_what_is_optional_is_not_blamed_for_it() -> None:
    plain = Offer(Takes(sg=True))
    wanted = ("NB01", "NB03", "NB04", "NB15", "NB16", "NB17", "NB20", "NB24", "NB28", "NB29", "NB30")
    found = judged(net_backend(plain), *wanted)
    lacks = {
        "NB15": "feature-gso-tcpv4",
        "NB16": "feature-gso-tcpv4",
        "NB20": "feature-ctrl-ring",
        "NB28": "feature-multicast-control",
        "NB29": "feature-ctrl-ring",
        "NB30": "feature-xdp-headroom",
    }
    assert found == {ident: f"unsupported: {feature} is not offered" for ident, feature in lacks.items()}


def test_a_net_backend_of_one_slot_is_not_blamed_for_it() -> None:
    several = ("NB08", "NB10", "NB11", "NB13", "NB32")
    found = judged(
        net_backend(Offer(Takes())), *several, "NB05", "NB07", "NB09", "NB14", "NB21", "NB22", "NB23", "NB26"
    )
    extras = {"NB14": "unsupported: it offers nothing for which there are extras"}
    assert found == dict.fromkeys(several, "unsupported: feature-sg is not offered") | extras


#: Of our frontend, whose guest is never suspended on a loopback.
NEVER_SUSPENDED = {"NF20": "unsupported: this driver's machine is not suspended here"}


def test_our_net_frontend() -> None:
    assert judged(net_frontend()) == NEVER_SUSPENDED


def test_our_net_frontend_that_wants_all_there_is() -> None:
    options = net.Options(max_queues=4, multicast=(bytes.fromhex("01005e000001"),))
    assert judged(net_frontend(options, compiled=False), "NF01", "NF03", "NF15", "NF16", "NF17", "NF19") == {}


def test_our_net_frontend_that_takes_no_more_than_it_must() -> None:
    found = judged(net_frontend(net.Options(takes=Takes())), "NF01", "NF03", "NF04", "NF08")
    lacks = {"NF04": "feature-sg", "NF08": "feature-gso-tcpv4"}
    assert found == {ident: f"unsupported: {feature} is not wanted" for ident, feature in lacks.items()}


def test_our_block_backend_as_a_process() -> None:
    assert judged(block_backend_process(), "BB01", "BB04", "BB13", "BB24", "BB26", "BB27") == {}


def test_our_net_backend_as_a_process() -> None:
    wanted = ("NB01", "NB04", "NB05", "NB07", "NB15", "NB19", "NB2*", "NB33")
    assert judged(net_backend_process(), *wanted) == {}


def test_a_process_that_is_killed_has_crashed() -> None:
    subject = block_backend_process()
    with subject.running() as bench:
        assert bench.ended() is None
        bench.kill()
        assert bench.ended() == "its process has ended with -9"
