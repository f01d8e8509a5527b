"""A KVM host that is a file: what it says it runs, and the stream that it sends when it is to record."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from xentool.hosts.base import Completed, Stream
from xentool.hosts.local import LocalHost

#: What capture.sh says on its stderr, before and after.
BEFORE, AFTER = ("started", "began 1764521000.5 +0100"), ("over 1764521002.5 200", "ended stop")


class KvmHost(LocalHost):
    """A host by its machines and a stream.

    :param machines: by their processes' numbers, the words by which they were started
    :param after: what it says when all of the stream was sent
    """

    name = "kvm1"

    def __init__(
        self, stream: Path, machines: Mapping[int, Sequence[str]], *, after: Sequence[str] = AFTER, kind: str = "kvm 0"
    ) -> None:
        lines = [kind]
        for pid, words in machines.items():
            lines.append(f"{pid} {b''.join(one.encode() + bytes(1) for one in words).hex()}")
        self._told = "\n".join(lines) + "\n"
        self._stream, self._after = stream, after

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        """Answer survey.sh."""
        assert argv[:2] == ["sh", "-c"]
        return Completed(tuple(argv), 0, self._told.encode(), b"")

    def popen(self, argv: Sequence[str], *, stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
        """Send the stream instead of running capture.sh."""
        before, after = ("; ".join(f"echo 'xentool: {one}' >&2" for one in said) for said in (BEFORE, self._after))
        script = f'{before}; cat "$1"; {after or ":"}'
        words = ["sh", "-c", script, "sh", str(self._stream), *argv[4:]]
        return super().popen(words, stdin=stdin, stdout=stdout, stderr=stderr)
