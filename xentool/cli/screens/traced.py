"""What ``xentool trace`` shows: a report at the end, or what happens while it does."""

from pathlib import Path

import click

from traces.answers import Report
from traces.choice.where import Where
from traces.exporters import document, text
from xentool import output
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common import kvm
from xentool.cli.screens import live as screens
from xentool.hosts import Host
from xentool.tools.tracing import reports
from xentool.tools.tracing.trace import trace
from xentool.tools.tracing.tracefs.survey import choose, survey


def show(
    host: Host,
    domain: str,
    where: Where,
    *,
    seconds: float | None,
    keep: Path | None,
    live: bool,
    dump: bool,
    as_json: bool,
) -> None:
    """Trace a domain of Xen's, or a machine of KVM's, whichever the host is.

    :param domain: its name or number
    :param keep: the file that the raw trace goes to
    :raises XentoolError: it cannot be traced
    """
    told = survey(host)
    if told.kind != "xen":
        machine = choose(told, domain, host.name)
        kvm.trace(host, machine, where, seconds=seconds, keep=keep, live=live, dump=dump, as_json=as_json)
        return
    with screens.shown(domain, live=live, dump=dump, as_json=as_json) as looks:
        done = trace(host, domain, where, seconds=seconds, output=keep, progress=looks)
    if not live and not dump:
        _report(done.report, as_json=as_json)
    if seconds and not done.interrupted and not done.domain_ended:
        _say_how_long(seconds, done.recorded)
    if done.domain_ended:
        output.say(f"{domain} has ended")
    if done.interrupted:
        click.get_current_context().exit(INTERRUPTED)
    reports.raise_for_damage(done.report, f"the trace of {host.name}")


def _say_how_long(asked: float, recorded: float | None) -> None:
    if recorded is not None and abs(recorded - asked) > max(0.1, asked / 20):
        output.say(f"{recorded:.1f} s were recorded, not {asked:g} s: dom0 is slow")


def _report(report: Report, *, as_json: bool) -> None:
    if as_json:
        output.write_json(document.parts(report))
    else:
        text.write(report, output.stdout())
