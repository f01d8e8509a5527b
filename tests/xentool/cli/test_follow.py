"""A running trace's records, line by line: what is weighed anew while it runs, and how often."""

import time
from dataclasses import dataclass, field

import pytest

from tests.traces.hostile import MAKERS
from traces.answers import Numbering
from traces.choice.where import Where
from traces.exporters.dump import plain
from traces.scan import Scan
from xentool.cli.screens.follow import Follow
from xentool.tools.tracing.trace import Running


@dataclass(frozen=True)
class Weighed(Running):
    at: list[int] = field(default_factory=list)

    @property
    def exits(self) -> Numbering:
        self.at.append(self.scan.account.bytes)
        return super().exits


def test_whose_exits_they_are_is_weighed_less_often_the_more_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    data, follow = MAKERS["exit_reasons"](2000), Follow(plain, as_json=False)
    trace = Weighed(Where(), 1e9, Scan(), time.monotonic(), lambda: None)
    step = len(data) // 400
    for start in range(0, len(data), step):
        trace.scan.feed(data[start : start + step])
        follow.show(trace, data[start : start + step])
    follow.show(trace, b"")
    assert capsys.readouterr().out.count(" exit ") == 2000
    # Each kind is gone through for it.
    assert len(trace.at) < 60
    assert trace.at[0] == step
    assert trace.at[-1] > 0.85 * len(data)
