"""``xentool evtchn``."""

from contextlib import closing
from dataclasses import asdict

import click
from rich.text import Text

from traces.foreign import printable
from xentool import output
from xentool.cli.common import completing, options
from xentool.cli.screens import survey as survey_view
from xentool.cli.screens import views
from xentool.errors import PeerError
from xentool.hosts import resolve
from xentool.tools import xl
from xentool.tools.channels.ports import Port
from xentool.tools.channels.survey import Survey, survey


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@options.where
@options.as_json
def command(domain: str, where: str | None, as_json: bool) -> None:
    """Tell DOMAIN's event channel ports (a name or a number): where each leads, and which device it serves.

    Xen is asked by its debug key e, which leaves some lines in its console (`xl dmesg`).
    """
    with closing(resolve(where)) as host:
        domid = xl.choose(xl.list_domains(host), domain).domid
        found = survey(host)
    if (ports := found.ports.get(domid)) is None:
        raise PeerError(f"Xen's console tells nothing of the ports of domain {domid}")
    if as_json:
        rows = [{**asdict(port), "name": found.port_names.get((domid, port.port))} for port in ports]
        output.write_json(
            {"schema": "xentool.evtchn/1", "domid": domid, "ports": rows, **survey_view.besides(found, domid)}
        )
        survey_view.check(found, ports=True)
        return
    console = output.stdout()
    count = f"{'at least ' if found.lost_ports else ''}{views.counted(len(ports), 'port')}"
    console.print(Text(f"{printable(survey_view.domain(found, domid))}: {count}"))
    if ports:
        table = views.table(">port", "kind", "~leads to", "~serves", ">vCPU", "state")
        for port in ports:
            table.add_row(
                str(port.port),
                port.kind,
                views.words(_leads_to(found, port)),
                views.words(found.port_names.get((domid, port.port))),
                str(port.vcpu),
                _state(port),
            )
        console.print()
        console.print(table)
    survey_view.write_besides(found, domid, console)
    survey_view.check(found, ports=True)


def _leads_to(found: Survey, port: Port) -> str | None:
    if port.kind in ("virq", "pirq"):
        return port.source
    if port.remote_domid is None:
        return None
    there = survey_view.domain(found, port.remote_domid)
    return f"{there} port {port.remote_port}" if port.kind == "interdomain" else f"{there} may bind it"


def _state(port: Port) -> Text:
    told = (("pending", port.pending), ("masked", port.masked), ("Xen's", port.for_xen))
    return Text(", ".join(word for word, holds in told if holds))
