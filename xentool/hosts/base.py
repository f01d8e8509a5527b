"""The Host seam: what a tool may ask of a dom0. It knows no Xen, and no kind of host."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from xentool.errors import XentoolError
from xentool.hosts import waiting

# What subprocess takes for a standard stream: a descriptor, PIPE, DEVNULL, a file, or None for "as the parent".
Stream = int | IO[bytes] | None


@dataclass(frozen=True)
class Completed:
    """A command that ended: its words, exit status (negative: the signal that killed it) and what it printed."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes


class Host(Protocol):
    """One dom0. Commands are words, never a shell's line; each kind of host quotes them as it needs."""

    name: str

    def run(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float | None = None, check: bool = True
    ) -> Completed:
        """Run a command to its end.

        :param input: its standard input; None for an empty one
        :param timeout: seconds; None for as long as the user waits (see `waiting`)
        :param check: raise when its exit status is not 0
        :raises XentoolError: it failed (the message quotes its stderr), could not start, or took too long
        :raises Unavailable: the host cannot be reached
        """
        ...

    def popen(self, argv: Sequence[str], *, stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
        """Start a command whose streams the caller holds, unbuffered and out of reach of the terminal's Ctrl-C.

        :raises Unavailable: the host cannot be reached
        """
        ...

    def interact(self, argv: Sequence[str]) -> int:
        """Run a command on this program's own terminal, which gets its Ctrl-C too, and return its exit status.

        :raises Unavailable: the host cannot be reached
        """
        ...

    def put(self, source: Path, target: str) -> None:
        """Copy a local file to a path in dom0, whole or not at all (mode and owner are not carried over)."""
        ...

    def forward(self, path: str) -> Path:
        """Give a local UNIX socket that leads to one in dom0, for this user alone; until `close`.

        Whether dom0 lets anybody through shows when something connects: a connection that ends at once was refused.

        :raises Unavailable: the host cannot be reached
        """
        ...

    def close(self) -> None:
        """Give the connection up, if there is one; a later call makes or finds another."""
        ...


def last_line(text: bytes) -> str:
    """Return the last line that says something, where programs put their reason; "" when there is none."""
    lines = [line.strip() for line in text.decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")


def checked(host: str, completed: Completed) -> Completed:
    """Pass a successful command on; raise XentoolError for a failed one."""
    if completed.returncode != 0:
        reason = last_line(completed.stderr) or f"exit status {completed.returncode}"
        raise XentoolError(f"{completed.argv[0]} failed on {host}: {reason}")
    return completed


def run_child(
    host: str,
    spawned: Sequence[str],
    argv: Sequence[str],
    *,
    input: bytes | None,
    timeout: float | None,
    load: Callable[[], str | None],
) -> Completed:
    """Run a local child process that carries out `argv` (itself, or ssh with it) and collect what it prints.

    :param load: tells how busy the machine is that carries it out
    """
    limit = waiting.limit() if timeout is None else timeout
    title = waiting.title(argv)
    try:
        with waiting.shown(f"{title} on {host}", load):
            child = subprocess.run(
                spawned,
                input=b"" if input is None else input,
                capture_output=True,
                timeout=None if limit == waiting.FOREVER else limit,
                check=False,
                start_new_session=True,  # Ctrl-C is for this program to handle, not for its children to die of
            )
    except subprocess.TimeoutExpired:
        busy = f" ({told})" if (told := load()) else ""
        longer = "; --timeout SECONDS waits longer" if timeout is None else ""
        raise XentoolError(f"{title} did not end within {limit:g} s on {host}{busy}{longer}") from None
    except OSError as error:
        raise XentoolError(f"{spawned[0]} did not start on {host}: {error.strerror}") from error
    return Completed(tuple(argv), child.returncode, child.stdout, child.stderr)


def spawn(spawned: Sequence[str], *, stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
    """Start a local child process with unbuffered pipes (select tells the truth about them), in its own session."""
    return subprocess.Popen(spawned, bufsize=0, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True)
