"""One domain, whole."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from traces.exporters.fitted import Fitted
from traces.foreign import printable
from xentool.cli.screens import devices as screen
from xentool.cli.screens import views
from xentool.tools.devices.inspect import Inspected
from xentool.tools.domains.stats import Domain


def write(domain: Domain, devices: tuple[Inspected, ...] | None, console: Console) -> None:
    """Show it.

    :param devices: None where they are not known
    """
    title = Text(printable(domain.name or "(no name)"), "bold")
    about = [f"domid {domain.domid}"] if domain.domid is not None else []
    title.append(f"  ({', '.join([*about, domain.type or 'type unknown'])}) ", "not bold dim")
    title.append(views.state(domain.state))
    console.print(title)
    _print(_facts(domain), console)
    if domain.each_vcpu:
        _print(_vcpus(domain), console)
    if domain.blocks or domain.nets:
        _print(_traffic(domain), console)
    if devices is not None:
        screen.write(devices, domain.domid, console)


def _print(what: Fitted, console: Console) -> None:
    console.print()
    console.print(Padding(what, (0, 0, 0, 2), expand=False))


def _facts(domain: Domain) -> Fitted:
    table = views.table("", "~", headed=False)
    vcpus = f"{domain.vcpus}" + (f" of {domain.max_vcpus}" if domain.max_vcpus is not None else "")
    limit = "" if domain.max_memory_bytes is None else f" of {views.size(domain.max_memory_bytes)}"
    for name, value in (
        ("memory", f"{views.size(domain.memory_bytes)}{limit}"),
        ("vCPUs online", vcpus),
        ("CPU time", f"{views.seconds(domain.cpu_seconds)} s"),
        ("UUID", domain.uuid),
    ):
        if value is not None:
            table.add_row(name, views.words(value))
    return table


def _vcpus(domain: Domain) -> Fitted:
    table = views.table(">vCPU", "State", ">pCPU", ">CPU s", "~may run on", "~prefers")
    for vcpu in domain.each_vcpu:
        table.add_row(
            str(vcpu.vcpu),
            views.state(vcpu.state),
            views.words(vcpu.pcpu),
            views.seconds(vcpu.cpu_seconds),
            views.words(vcpu.hard_affinity),
            views.words(vcpu.soft_affinity),
        )
    return table


def _traffic(domain: Domain) -> Fitted:
    table = views.table("Device", ">reads, received", ">bytes", ">writes, sent", ">bytes", "~besides")
    for block in domain.blocks:
        besides = _counted(
            ("flush", "flushes", block.flushes), ("wait for a request", "waits for a request", block.out_of_requests)
        )
        table.add_row(*_row(block.device, block.reads, block.read_bytes, block.writes, block.written_bytes, besides))
    for net in domain.nets:
        besides = _counted(
            ("receive error", "receive errors", net.received_errors),
            ("receive dropped", "receives dropped", net.received_dropped),
            ("send error", "send errors", net.sent_errors),
            ("send dropped", "sends dropped", net.sent_dropped),
        )
        counters = (net.received_packets, net.received_bytes, net.sent_packets, net.sent_bytes)
        table.add_row(*_row(net.device, *counters, besides))
    return table


def _row(
    device: str, came: int | None, came_bytes: int | None, went: int | None, went_bytes: int | None, besides: str
) -> list[Text]:
    return [
        views.words(device),
        views.count(came),
        views.size(came_bytes),
        views.count(went),
        views.size(went_bytes),
        views.words(besides),
    ]


def _counted(*counters: tuple[str, str, int | None]) -> str:
    # What one is called, what several are, and how many there are, where that is known.
    return ", ".join(f"{value:,} {one if value == 1 else several}" for one, several, value in counters if value)
