"""A tracefs that is a folder: instances are made and removed by programs in PATH, pages come out of pipes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from tests.traces.kvm.traces import EVENTS, HEADER_PAGE, format_file

#: As the kernel has it; what is written into it is kept.
_INSTANCE = ("trace_clock", "buffer_size_kb", "set_event_pid", "tracing_on", "options/event-fork", "events/kvm/enable")
_SCHEDULER = ("sched_switch", "sched_wakeup", "sched_wakeup_new")


class FakeTracefs:
    """The folder, and what a script needs to take it for the kernel's.

    :param cpus: how many processors it has
    """

    def __init__(self, folder: Path, cpus: int = 2) -> None:
        self.root, self._bin, self._template = folder / "tracing", folder / "bin", folder / "template"
        self.cpus = cpus
        (self.root / "instances").mkdir(parents=True)
        self._events()
        self._instance()
        self._programs()

    def script(self, *, patience: int = 1000) -> str:
        """Give capture.sh for this folder.

        :param patience: hundredths of a second
        """
        text = files("xentool.tools.tracing.tracefs").joinpath("capture.sh").read_text()
        assert "patience=1000\n" in text
        return text.replace("/sys/kernel/tracing", str(self.root)).replace("patience=1000\n", f"patience={patience}\n")

    @property
    def environ(self) -> dict[str, str]:
        """What the script runs in."""
        return {**os.environ, "PATH": f"{self._bin}:{os.environ['PATH']}"}

    @property
    def instances(self) -> list[Path]:
        """What there is besides the kernel's own buffers."""
        return sorted((self.root / "instances").iterdir())

    @contextmanager
    def pages(self, cpu: int) -> Iterator[int]:
        """Give a descriptor: what is written there comes out as a processor's pages."""
        (instance,) = self.instances
        # Both ends, so that a reader finds nothing in it, and not its end.
        descriptor = os.open(instance / f"per_cpu/cpu{cpu}/trace_pipe_raw", os.O_RDWR)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def says(self, cpu: int, entries: int, overrun: int = 0) -> None:
        """Let a processor's buffer say how much it has."""
        (instance,) = self.instances
        _stats(instance / f"per_cpu/cpu{cpu}/stats", entries, overrun)

    def _events(self) -> None:
        _write(self.root / "events/header_page", HEADER_PAGE.decode())
        _write(self.root / "events/header_event", "# compressed entry header\n")
        for name, event in EVENTS.items():
            system = "sched" if name.startswith("sched") else "kvm"
            _write(self.root / f"events/{system}/{name}/format", format_file(name, event).decode())
        _write(
            self.root / "events/sched/sched_wakeup_new/format",
            format_file("sched_wakeup_new", EVENTS["sched_wakeup"]._replace(number=99)).decode(),
        )

    def _instance(self) -> None:
        for name in (*_INSTANCE, *(f"events/sched/{each}/enable" for each in _SCHEDULER)):
            _write(self._template / name, "")
        for cpu in range(self.cpus):
            _stats(self._template / f"per_cpu/cpu{cpu}/stats", 0, 0)
            os.mkfifo(self._template / f"per_cpu/cpu{cpu}/trace_pipe_raw")

    def _programs(self) -> None:
        # A folder of tracefs has its files when it is made, and goes with them.
        for name, text in {
            "mkdir": f'cp -R "{self._template}" "$1"',
            "rmdir": 'case $1 in *xentool-*) [ -d "$1" ] && rm -r "$1" ;; *) exit 1 ;; esac',
            "id": "echo ${PRETENDED_UID:-0}",
        }.items():
            _write(self._bin / name, f"#!/bin/sh\n{text}\n")
            (self._bin / name).chmod(0o755)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _stats(path: Path, entries: int, overrun: int) -> None:
    _write(path, f"entries: {entries}\noverrun: {overrun}\ncommit overrun: 0\ndropped events: 0\n")
