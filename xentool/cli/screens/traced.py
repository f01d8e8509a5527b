"""What ``xentool trace`` shows: a report at the end, or what happens while it does."""

import click

from traces.answers import Report
from traces.exporters import document, text
from xentool import output
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common import kvm
from xentool.cli.common.wanted import Tracing
from xentool.cli.screens import live as screens
from xentool.hosts import Host
from xentool.tools.tracing import reports
from xentool.tools.tracing.trace import trace
from xentool.tools.tracing.tracefs.survey import choose, survey


def show(host: Host, domain: str, wanted: Tracing) -> None:
    """Trace a domain of Xen's, or a machine of KVM's, whichever the host is.

    :param domain: its name or number
    :raises XentoolError: it cannot be traced
    """
    told = survey(host)
    if told.kind != "xen":
        kvm.trace(host, choose(told, domain, host.name), wanted)
        return
    with screens.shown(domain, wanted) as looks:
        done = trace(host, domain, wanted.where, seconds=wanted.seconds, output=wanted.keep, progress=looks)
    if wanted.reported:
        _report(done.report, as_json=wanted.as_json)
    if wanted.seconds and not done.interrupted and not done.domain_ended:
        _say_how_long(wanted.seconds, done.recorded)
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
