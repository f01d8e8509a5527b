"""What `xentool trace` and `record` do on a KVM host; what they do on a dom0 is in their own files."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click
from rich.text import Text

from traces.choice.where import EVERYTHING
from traces.exporters import document, text
from traces.foreign import printable
from traces.plain import replace
from traces.plural import plural
from xentool import output
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common.wanted import Recording, Tracing
from xentool.cli.screens import live as screens
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools.tracing import reports
from xentool.tools.tracing.tracefs.survey import Machine, Survey, choose
from xentool.tools.tracing.tracefs.trace import Progress, Running, check
from xentool.tools.tracing.tracefs.trace import trace as trace_

_PAGE_KIB = 4


def trace(host: Host, machine: Machine, wanted: Tracing) -> None:
    """Trace a machine, and show it as a domain of Xen's."""
    check(wanted.where, listed=wanted.dump)
    name = machine.name or str(machine.pid)
    with _shown(name, wanted) as show:
        traced = trace_(
            host,
            machine,
            wanted.where,
            seconds=wanted.seconds,
            output=wanted.keep,
            listed=wanted.dump,
            progress=show,
        )
    if wanted.reported:
        if wanted.as_json:
            output.write_json(document.parts(traced.report))
        else:
            text.write(traced.report, output.stdout())
    if traced.machine_ended:
        output.say(f"{printable(name)} has ended")
    if traced.interrupted:
        click.get_current_context().exit(INTERRUPTED)
    reports.raise_for_damage(traced.report, f"the trace of {host.name}")


def _shown(name: str, wanted: Tracing) -> AbstractContextManager[Progress]:
    if not wanted.dump:
        return screens.rates(name, wanted)
    from xentool.cli.screens.follow_kvm import Follow  # noqa: PLC0415 - few traces are listed

    return nullcontext(Follow(as_json=wanted.as_json).show)


def record(host: Host, told: Survey, domain: str | None, wanted: Recording) -> None:
    """Keep a trace.dat of a machine.

    :raises XentoolError: there is none of that name, or it was chosen in a way that only a dom0 can
    """
    if wanted.bundled:
        raise XentoolError("a trace.dat has all names in it: record it without --bundle, and mail it as it is")
    if wanted.path == "-":
        raise XentoolError("a trace.dat cannot be written to a pipe: give a FILE")
    if domain is None and told.kind == "kvm":
        raise XentoolError("a KVM host records one machine: give a DOMAIN instead of --all")
    machine = choose(told, domain or "", host.name)
    where = replace(EVERYTHING, kinds=wanted.kinds)
    check(where, listed=False)
    messages = output.stderr()
    with output.status(messages, "connecting …") as status:

        def progress(running: Running, _chunk: bytes) -> None:
            size, records, _lost = running.counts()
            status.update(f"{running.seconds:.1f} s  {size / 1e6:.1f} MB  {plural(records, 'record')}")

        done = trace_(
            host,
            machine,
            where,
            seconds=wanted.seconds,
            output=Path(wanted.path),
            buffer_kib=wanted.buffer_pages * _PAGE_KIB,
            progress=progress,
        )
    account = done.report.account
    if wanted.as_json:
        output.write_json(
            {
                "schema": "xentool.kvm.record/1",
                "file": wanted.path,
                "host": host.name,
                "kernel": done.report.kernel,
                "machine": {"pid": machine.pid, "name": machine.name},
                "bytes": done.kept,
                "records": account.records,
                "lost_records": account.lost_records,
                "seconds": done.seconds,
                "interrupted": done.interrupted,
            }
        )
    else:
        source = printable(f"{machine.name or machine.pid} on {host.name} ({done.report.kernel})")
        lost = f"{account.lost_records:,} lost" if account.lost_records else "none lost"
        took = "" if done.seconds is None else f" in {done.seconds:.1f} s"
        messages.print(Text(f"{plural(account.records, 'record')}{took} of {source}; {lost}"))
    if done.interrupted:
        raise KeyboardInterrupt
