"""A report is plain data: it can be sent to another process, and is the same there."""

import pickle
from io import BytesIO

import pytest

from tests.traces.captures import NAMES, STRANGERS, capture, stranger
from traces import scan
from traces.analyses.report import DomainInfo, report


@pytest.mark.parametrize("name", [*NAMES, *STRANGERS])
def test_a_report_is_the_same_behind_a_pickle(name: str) -> None:
    data = capture(name) if name in NAMES else stranger(name)
    found = report(scan.read(BytesIO(data)), infos={1: DomainInfo("guest", "pv")})
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
    assert again == found
    assert repr(again) == repr(found)
    assert found.domains
    assert found.told
