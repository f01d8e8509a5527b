"""Hosts that an ssh in PATH reaches, which runs what it is told on this machine, by programs that each has of its own.

What they do is told, a line each, in the order in which it happened on all of them: ``NAME ready``, ``NAME go``, ...
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.xentool.tools.recorded import INFO

#: Says that a connection stands once it was made, makes one to what there is, and runs a command there.
_SSH = """#!/bin/sh
for word; do :; done
case " $* " in
*" -G "*) exit 1 ;;
*" -O check "*) host=$word; [ -e "{folder}/connected-${{host#ssh://}}" ]; exit ;;
*" -O "*) exit 0 ;;
*" ControlMaster=yes "*)
    host={folder}/${{word#ssh://}}
    echo "$*" >>"{folder}/connects"
    if [ -p "$host/hangs" ]; then read -r line <"$host/hangs"; fi
    if [ ! -d "$host" ]; then echo "ssh: connect to host ${{word#ssh://}} port 22: Connection refused" >&2; exit 255; fi
    : >"{folder}/connected-${{word#ssh://}}"
    for each; do case $each in ControlPath=*) : >"${{each#ControlPath=}}" ;; esac; done
    exit 0
    ;;
esac
while [ "$1" != -- ]; do shift; done
here={folder}/${{2#ssh://}}
export here name="${{2#ssh://}}" log="{folder}/log"
PATH="$here:$PATH" exec /bin/sh -c "$word"
"""
#: Stands for the shell that runs scripts: what they would find out on such a host it knows.
_SH = """#!/bin/sh
case $2 in
"# Says what kind of host"*) exec cat "$here/survey" ;;
"# Runs on a KVM host"*) exec /bin/bash "$here/record" ;;
esac
exec /bin/sh "$@"
"""
#: Skips capture.sh up to its last line; what follows that are the client's words. The clock is read by `date`, below.
_BASH = """#!/bin/bash
if [[ $1 != -s ]]; then exec /bin/sh "$@"; fi
while read -r line && [[ $line != "main "* ]]; do :; done
shift 2
time=$5
source "$here/record"
"""
_DATE = """#!/bin/sh
exec /bin/date -d '{ahead} seconds' "$@"
"""
_LIST = "Name  ID  Mem VCPUs State Time(s)\nDomain-0  0  1024  2  r-----  100.0\n"
_XL = """#!/bin/sh
case "$1 $2" in "list --long") echo '[]' ;; list*) cat "$here/list" ;; info*) cat "$here/info" ;; esac
"""
#: Waits for a word of the client's, whatever signs of life come before it, or for its end.
_WAIT = """
saw() { echo "$name $1" >>"$log"; }
until_said() {
    while read -r line; do if [[ $line == "$1" ]]; then saw "$1"; return 0; fi; done
    saw gone
    exit
}
say() { echo "xentool: $*" >&2; }
saw ready
say ready
until_said go
"""
#: Of a dom0, and of a KVM host.
_XEN = _WAIT + (
    'say began "$(date +%s.%N)" +0000; say started 32; cat "$here/trace"; saw recording\n'
    "if ((time == 0)); then until_said stop; fi\n"
    'say used 1 100 100; say over "$(date +%s.%N)"; say ended stop 0 1\n'
)
_KVM = _WAIT + (
    'say started; say began "$(date +%s.%N) +0000"; cat "$here/trace"; say over "$(date +%s.%N)" 100; say ended stop\n'
)
REFUSES = "say() { echo \"xentool: $*\" >&2; }; say refused foreign '77 xentrace -e all /tmp/x'"
DIES = _WAIT + 'say started 32; cat "$here/trace"; echo "client_loop: send disconnect: Broken pipe" >&2'


class FakeHosts:
    """A folder with such hosts."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        _program(folder / "bin/ssh", _SSH.format(folder=folder))
        self.environ = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(folder),
            "XENTOOL_SSH_PERSIST": "0",
            "XENTOOL_TIMEOUT": "100000",
        }
        for name, value in self.environ.items():
            patch.setenv(name, value)

    def xen(self, name: str, trace: bytes = b"", *, record: str = _XEN, ahead: int = 0) -> None:
        """Have a dom0.

        :param record: what runs there instead of capture.sh
        :param ahead: seconds by which its clock is
        """
        self._host(name, "xen\n", trace, record)
        _program(self.folder / name / "bash", _BASH)
        _program(self.folder / name / "xl", _XL)
        (self.folder / name / "list").write_text(_LIST)
        (self.folder / name / "info").write_text(INFO)
        if ahead:
            _program(self.folder / name / "date", _DATE.format(ahead=ahead))

    def kvm(self, name: str, stream: bytes, machines: Mapping[int, Sequence[str]]) -> None:
        """Have a KVM host.

        :param machines: by their processes' numbers, the words by which they were started
        """
        words = {pid: b"".join(one.encode() + bytes(1) for one in each).hex() for pid, each in machines.items()}
        self._host(name, "".join(["kvm 0\n", *(f"{pid} {each}\n" for pid, each in words.items())]), stream, _KVM)

    def other(self, name: str) -> None:
        """Have a machine that has neither."""
        self._host(name, "none 0\n", b"", "")

    def hangs(self, name: str) -> None:
        """Have one that takes a connection and says no more, until it is released."""
        self.other(name)
        os.mkfifo(self.folder / name / "hangs")

    def release(self, name: str) -> None:
        """Let those go who hang at a host."""
        path = self.folder / name / "hangs"
        descriptor = os.open(path, os.O_RDWR)
        path.rename(path.with_name("hung"))
        os.close(descriptor)

    @property
    def told(self) -> list[str]:
        """What happened on all of them."""
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    def _host(self, name: str, survey: str, trace: bytes, record: str) -> None:
        folder = self.folder / name
        folder.mkdir()
        _program(folder / "sh", _SH)
        (folder / "survey").write_text(survey)
        (folder / "trace").write_bytes(trace)
        (folder / "record").write_text(record)


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
