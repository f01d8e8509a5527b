"""The stats model with hypercalls, by a trace that runs meanwhile, on a dom0 that is a few lines of bash."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.traces.captures import capture
from tests.xentool.tools.recorded import STATS
from tests.xentool.tools.tracing.pretended import Pretended
from xentool.errors import XentoolError
from xentool.hosts.base import Completed
from xentool.tools.domains.stats import Sample, rates
from xentool.tools.tracing.traced_stats import TracedToolstack

CAPTURE = capture("xen-4.20-pv2")
#: Of the capture, as `xentool report` tells them.
CALLS = {0: 17117, 2: 44998}


class Dom0(Pretended):
    """Says what a lab's dom0 said, and traces what it is told to."""

    closed = False

    def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes | None = None,  # noqa: ARG002 - Host's, as those that follow
        timeout: float | None = None,  # noqa: ARG002
        check: bool = True,  # noqa: ARG002
    ) -> Completed:
        return Completed(tuple(argv), 0, STATS.encode(), b"")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def dom0(tmp_path: Path) -> Iterator[Dom0]:
    (tmp_path / "trace").write_bytes(CAPTURE)
    stopped = "until [[ $line = stop ]]; do read -r line || exit 1; done; echo xentool: ended stop 0 1 >&2"
    yield Dom0(f"echo xentool: started 32 >&2; cat {tmp_path}/trace; {stopped}; touch {tmp_path}/orderly")
    assert (tmp_path / "orderly").exists()
    assert "xentool-top-trace" not in {thread.name for thread in threading.enumerate()}


def sampled(toolstack: TracedToolstack, upto: Mapping[int, int]) -> Sample:
    """Sample until the trace has come so far, of each domain."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        sample = toolstack.sample()
        assert sample.hypercalls is not None
        if all(sample.hypercalls[domid] >= calls for domid, calls in upto.items()):
            return sample
    raise AssertionError("the trace does not come")


def test_hypercalls_a_second_of_each_domain(dom0: Dom0) -> None:
    toolstack = TracedToolstack(dom0)
    none = Sample(2256.53, (), {}, 0)
    frame = rates(none, sampled(toolstack, CALLS))
    toolstack.close()
    assert {each.domid: each.hypercalls_per_s for each in frame.domains} == {
        0: pytest.approx(CALLS[0] / 2),
        1: 0,  # is traced, and makes none
        2: pytest.approx(CALLS[2] / 2),
    }
    assert frame.lost_records == 0
    assert dom0.closed


def test_a_host_that_cannot_be_traced_is_let_go() -> None:
    host = Dom0("echo xentool: refused busy 1 somebody >&2")
    with pytest.raises(XentoolError):
        TracedToolstack(host)
    assert host.closed


def test_a_trace_that_ends_by_itself_is_an_error() -> None:
    toolstack = TracedToolstack(Dom0("echo xentool: started 32 >&2; echo xentool: ended died 1 1 >&2; exit 1"))
    with pytest.raises(XentoolError):
        sampled(toolstack, {2: 1})
    toolstack.close()
