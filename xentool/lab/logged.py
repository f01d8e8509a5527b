"""Runs one program of a build: its output into a log, the log's end into the error message."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from xentool.errors import Unavailable, XentoolError
from xentool.lab.progress import Progress

_SHOWN = 8
_GRACE_S = 20


def run(argv: Sequence[str], log: Path, progress: Progress, environ: Mapping[str, str] | None = None) -> None:
    """Run a program to its end, appending what it prints to ``log``.

    :raises XentoolError: it failed; the message ends with the log's last lines
    :raises Unavailable: it is not installed
    """
    with log.open("ab") as sink:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environ,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise Unavailable(f"{argv[0]} is not installed; `make setup` or apt install brings it") from None
        with child:
            assert child.stdout is not None  # noqa: S101 - PIPE above
            try:
                for line in child.stdout:
                    sink.write(line)
                    sink.flush()
                    progress.detail(line.decode(errors="replace").strip())
                status = child.wait()
            except BaseException:
                _end(child)
                raise
    if status != 0:
        raise XentoolError(f"{argv[0]} failed (exit status {status}); the end of {log}:\n{indented(log.read_bytes())}")


def indented(text: bytes, count: int = _SHOWN) -> str:
    """Return the last lines that say something, indented for an error message."""
    rows = [line.rstrip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    return "\n".join(f"  {row}" for row in rows[-count:]) or "  (nothing)"


def _end(child: "subprocess.Popen[bytes]") -> None:
    # mmdebstrap unmounts and removes its half-made root when it is asked to end, so it gets the time.
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass
        return
