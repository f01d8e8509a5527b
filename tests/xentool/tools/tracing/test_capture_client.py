"""The client's half of a capture, against a dom0 that is a few lines of bash."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.xentool.tools.tracing.pretended import Pretended
from xentool.errors import Unavailable, XentoolError
from xentool.hosts import Host
from xentool.tools.tracing import remote
from xentool.tools.tracing.capture import Capture, on_interrupt

#: Reads a word into `l`, whatever signs of life come before it.
WORD = 'while read -r l && [ -z "$l" ]; do :; done'


def test_records_come_until_stop_and_the_rest_after_it() -> None:
    host: Host = Pretended(f"echo xentool: started 32 >&2; echo one; {WORD}; echo $l; echo xentool: ended stop 0 1 >&2")
    with Capture(host, 0x0FFF_F000) as running:
        assert running.buffer_pages == 32
        chunks = running.chunks()
        assert next(chunks) == b"one\n"
        running.stop()
        running.stop()
        assert b"".join(chunks) == b"stop\n"


@pytest.mark.parametrize("seconds", [None, 1e-9])
def test_to_wait_for_the_last_records_takes_no_time(seconds: float | None) -> None:
    host: Host = Pretended(f"echo xentool: started 32 >&2; echo one; {WORD}; echo $l; echo xentool: ended stop 0 1 >&2")
    with Capture(host, 1, seconds=seconds) as running:
        if seconds is None:
            while running.clock() == running.started:
                pass
        running.stop()
        stopped = running.clock()
        assert stopped > running.started if seconds is None else stopped - running.started == pytest.approx(0, abs=1e-6)
        now = time.monotonic()
        while time.monotonic() == now:
            pass
        assert b"".join(running.chunks()) == b"one\nstop\n"
        assert running.clock() == stopped < time.monotonic()


def test_the_share_of_the_tracer() -> None:
    said = "echo xentool: used 25 100 50 >&2; echo xentool: ended stop 0 1 >&2"
    with Capture(Pretended(f"echo xentool: started 32 >&2; read -r l; {said}"), 1) as running:
        assert (running.share, running.recorded) == (None, None)
        running.stop()
        assert not b"".join(running.chunks())
    assert (running.share, running.recorded) == (0.5, 0.5)  # a quarter of a second in half a one, by dom0's clock


def test_words_for_dom0() -> None:
    host = Pretended('echo "xentool: refused foreign $*" >&2')
    with (
        pytest.raises(XentoolError, match=r"\(0x2f000 64 0,2 /run/xentool-capture\.lock 151\)"),
        Capture(host, 0x2F000, 64, [0, 2], seconds=1.501),
    ):
        pass


def test_it_begins_when_the_gate_is_passed() -> None:
    passed: list[str] = []
    # Told by what was heard: nothing but signs of life before the gate has returned, and "go" from then on.
    host = Pretended(
        f'[ "$6" = gate ] || exit; echo xentool: ready >&2; {WORD}; echo $l; echo xentool: started 32 >&2; '
        f'while [ "$l" = go ] && read -r l; do :; done; echo $l; echo xentool: ended stop 0 1 >&2'
    )
    with Capture(host, 1, gate=lambda: passed.append("gate")) as running:
        assert passed == ["gate"]
        running.stop()
        assert b"".join(running.chunks()) == b"go\nstop\n"


def test_a_gate_that_raises_calls_it_off(tmp_path: Path) -> None:
    def gate() -> None:
        raise XentoolError("not today")

    heard = tmp_path / "heard"
    host = Pretended(f'echo xentool: ready >&2; while read -r l; do echo "$l" >>{heard}; done; echo end >>{heard}')
    with pytest.raises(XentoolError, match=r"^not today$"), Capture(host, 1, gate=gate):
        pass
    assert set(heard.read_text().split()) == {"end"}


def test_records_before_a_failure_are_handed_out() -> None:
    host = Pretended("echo xentool: started 32 >&2; echo one; echo xentool: ended recording 137 1 >&2")
    with Capture(host, 1) as running:
        chunks = running.chunks()
        assert next(chunks) == b"one\n"
        with pytest.raises(XentoolError, match="ended by itself: it was killed by SIGKILL"):
            next(chunks)


def test_a_connection_that_ends_without_a_word_is_lost() -> None:
    with (
        Capture(Pretended("echo xentool: started 32 >&2; echo broken pipe >&2"), 1) as running,
        pytest.raises(Unavailable, match=r"lost the connection to xen1 \(broken pipe\)"),
    ):
        b"".join(running.chunks())


def test_leaving_early_closes_stdin_and_waits(tmp_path: Path) -> None:
    done = tmp_path / "put-back"
    host = Pretended(f"echo xentool: started 32 >&2; while read -r l; do :; done; sleep 0.3; touch {done}")
    with pytest.raises(ZeroDivisionError), Capture(host, 1):
        raise ZeroDivisionError
    assert done.exists()


def test_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "HEARTBEAT", 0.05)
    host = Pretended(
        'echo xentool: started 32 >&2; read -r a; read -r b; echo "[$a$b]"; echo xentool: ended stop 0 1 >&2'
    )
    with Capture(host, 1) as running:
        assert b"".join(running.chunks()) == b"[]\n"


def test_stop_is_said_until_dom0_has_heard_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # bash drops half a line when the time of its `read -t` is over, and with it a "stop".
    monkeypatch.setattr(remote, "HEARTBEAT", 0.05)
    host = Pretended(
        f"echo xentool: started 32 >&2; {WORD}; read -r heard; echo $heard; echo xentool: ended stop 0 1 >&2"
    )
    with Capture(host, 1) as running:
        running.stop()
        assert b"".join(running.chunks()) == b"stop\n"


def test_the_first_interrupt_stops_and_the_second_raises() -> None:
    stops: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    with on_interrupt(lambda: stops.append(1)) as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        assert (interrupted(), stops) == (True, [1])
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
