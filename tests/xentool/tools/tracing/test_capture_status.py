"""What dom0 says about a capture, and what becomes of it."""

import pytest

from xentool.errors import Unavailable, XentoolError
from xentool.tools.tracing.capture_status import (
    Ended,
    Ready,
    Refused,
    Started,
    Status,
    Used,
    end_error,
    parse,
    start_error,
)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("xentool: refused locked", Refused("locked", "")),
        ("xentool: refused foreign 31 xentrace -e all /x", Refused("foreign", "31 xentrace -e all /x")),
        ("xentool: ready", Ready()),
        ("xentool: started 1024", Started(1024)),
        ("xentool: used 37 100 250", Used(0.37, 2.5)),
        ("xentool: ended stop 0 1", Ended("stop", 0, True)),
        ("xentool: ended recording 137 0", Ended("recording", 137, False)),
        ("change evtmask to 0xffff000", None),
        ("", None),
    ],
)
def test_lines(line: str, status: Status | None) -> None:
    assert parse(line) == status


@pytest.mark.parametrize(
    ("refused", "messages", "kind", "text"),
    [
        (Refused("no-dom0", ""), [], Unavailable, "xen1 is no Xen dom0 (it has no /dev/xen/privcmd)"),
        (Refused("no-xentrace", ""), [], Unavailable, "xen1 has no xentrace; Debian's package is xen-utils-common"),
        (Refused("permission", ""), [], XentoolError, "tracing on xen1 needs root there"),
        (Refused("locked", ""), [], XentoolError, "another xentool capture is running on xen1; a host can make one"),
        (
            Refused("foreign", "31 xentrace x"),
            [],
            XentoolError,
            "xen1 is being traced by another program (31 xentrace x)",
        ),
        (
            None,
            ["ERROR: Failure to get trace buffer pointer (38 = Function not implemented)"],
            XentoolError,
            "the Xen of xen1 was built without trace buffers (CONFIG_TRACEBUFFER)",
        ),
        (
            None,
            ["change evtmask to 0x2f000", "Couldn't enable trace buffers: Invalid argument"],
            XentoolError,
            "Xen on xen1 has no memory for 64 trace pages per CPU; ask for fewer",
        ),
        (
            None,
            ["ERROR: failed to bind to VIRQ port (17 = File exists)"],
            XentoolError,
            "another program reads the trace buffers of xen1",
        ),
        (None, ["bash: command not found"], XentoolError, "xentrace did not start on xen1: bash: command not found"),
        (None, [], Unavailable, "lost the connection to xen1 before records came"),
    ],
)
def test_why_a_capture_did_not_start(
    refused: Refused | None, messages: list[str], kind: type[XentoolError], text: str
) -> None:
    error = start_error("xen1", 64, refused, messages)
    assert type(error) is kind
    assert str(error).startswith(text)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (Ended("recording", 137, True), "xentrace on xen1 ended by itself: it was killed by SIGKILL"),
        (Ended("recording", 1, True), "xentrace on xen1 ended by itself: status 1"),
        (Ended("stop", 1, True), "xentrace on xen1 ended by itself: status 1"),
        (Ended("silent", 137, True), "xen1 ended the capture: it heard nothing from this program for 10 s"),
        (Ended("stop", 0, False), "tracing on xen1 could not be switched off"),
    ],
)
def test_how_a_capture_ended(ended: Ended, text: str) -> None:
    assert str(end_error("xen1", ended, [])).startswith(text)


def test_an_orderly_end_is_no_error_and_a_lost_connection_is() -> None:
    assert end_error("xen1", Ended("stop", 0, True), ["change evtmask to 0x1"]) is None
    error = end_error("xen1", None, ["Connection closed by remote host"])
    assert isinstance(error, Unavailable)
    assert str(error).startswith("lost the connection to xen1 (Connection closed by remote host)")
