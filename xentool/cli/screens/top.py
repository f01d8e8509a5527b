"""How ``top`` looks: the picture, its orders, and the keys that change them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from math import inf

from rich.console import Group, RenderableType
from rich.text import Text

from traces.exporters.fitted import Fitted
from traces.foreign import printable
from traces.plural import plural
from xentool.cli.screens import views
from xentool.cli.screens.page import Drawn, lines
from xentool.tools.domains.stats import Frame, Rates

#: From so many columns on there is room for requests and packets too.
_WIDE = 120
#: Per cent of a CPU from which a domain stands out.
_BUSY = 50
_INDENT = 5
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


#: The orders of rows by name; the letter to press for each, and what it goes by. The largest come first.
ORDERS: dict[str, tuple[str, Callable[[Rates], float | None]]] = {
    "cpu": ("c", lambda rates: rates.cpu_percent),
    "memory": ("m", lambda rates: rates.memory_bytes),
    "block": ("b", lambda rates: _both(rates.read_bytes_per_s, rates.written_bytes_per_s)),
    "net": ("n", lambda rates: _both(rates.received_bytes_per_s, rates.sent_bytes_per_s)),
    "hypercalls": ("h", lambda rates: rates.hypercalls_per_s),
    "id": ("i", lambda rates: None if rates.domid is None else -rates.domid),
}
KEYS = {letter: name for name, (letter, _) in ORDERS.items()}


def _both(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def ordered(domains: Sequence[Rates], by: str) -> list[Rates]:
    """Put domains in an order; those of which the value is not known come last."""
    _, value = ORDERS[by]
    return sorted(domains, key=lambda domain: -inf if (known := value(domain)) is None else known, reverse=True)


def picture(name: str, frame: Frame, by: str, width: int) -> RenderableType:
    """Draw one moment: a line for the host, and one for each domain.

    :param name: of the host
    :param width: columns of the terminal
    """
    return Group(_heading(name, frame), Text(), _domains(ordered(frame.domains, by), frame, width))


def page(name: str, frame: Frame, by: str, details: Collection[str], width: int) -> Drawn:
    """Draw the same as a page that is scrolled, with more lines for each domain.

    :param details: those of ``DETAILS`` that are shown
    """
    domains = ordered(frame.domains, by)
    (heading,) = lines(lambda console: console.print(_heading(name, frame), no_wrap=True, overflow="ellipsis"), width)
    titles, *told = lines(lambda console: console.print(_domains(domains, frame, width)), width)
    rows = [
        [line, *(more for key in DETAILS if key in details for more in DETAILS[key][1](domain, width - _INDENT))]
        for line, domain in zip(told, domains, strict=False)
    ]
    # Below them is what had no room.
    rows += [[line] for line in told[len(domains) :]]
    return Drawn((heading, Text(), titles), rows, keys(by, traced=frame.lost_records is not None))


def keys(by: str, *, traced: bool = False) -> Text:
    """Say what can be pressed, first what would be missed most where the line is cut."""
    line = Text(f"q quit  ? help  {' '.join(DETAILS)}  sort: ", "dim")
    for name, (letter, _) in ORDERS.items():
        if name == "hypercalls" and not traced:
            continue
        line.append(f"{letter} {name}  ", "bold not dim" if name == by else "")
    line.rstrip()
    return line


def _vcpus(domain: Rates, width: int) -> Iterator[Text]:
    if not domain.each_vcpu:
        yield _more(Text("its toolstack does not tell vCPUs here", "dim"))
    cells = []
    for vcpu in domain.each_vcpu:
        cell = Text(f"v{vcpu.vcpu} ", "dim")
        if vcpu.state == "offline":
            cell.append("offline")
        else:
            cell.append_text(_percent(vcpu.cpu_percent)).append(" %" if vcpu.cpu_percent is not None else "", "not dim")
            cell.append(f" on {vcpu.pcpu}" if vcpu.pcpu is not None else "", "not dim")
        cells.append(cell)
    # Below each other, so that they are found again.
    room = max((cell.cell_len for cell in cells), default=0) + 3
    for start in range(0, len(cells), each := max(width // room, 1)):
        line = Text()
        for cell in cells[start : start + each]:
            line.append_text(cell).append(" " * (room - cell.cell_len))
        yield _more(line)


def _disks(domain: Rates, width: int) -> Iterator[Text]:
    del width
    for disk in domain.blocks:
        reads = _flow("reads", disk.reads_per_s, disk.read_bytes_per_s)
        yield _more(_device(disk.device, reads, _flow("writes", disk.writes_per_s, disk.written_bytes_per_s)))


def _networks(domain: Rates, width: int) -> Iterator[Text]:
    del width
    for net in domain.nets:
        came = _flow("packets in", net.received_packets_per_s, net.received_bytes_per_s)
        yield _more(_device(net.device, came, _flow("packets out", net.sent_packets_per_s, net.sent_bytes_per_s)))


def _device(name: str, one: Text, other: Text) -> Text:
    return Text(f"{printable(name)}  ", "dim").append_text(one).append("  ").append_text(other)


def _flow(what: str, count: float | None, size: float | None) -> Text:
    return Text.assemble(_rate(count), f" {what}/s, ", _rate(size), " B/s")


def _more(line: Text) -> Text:
    return Text(" " * _INDENT).append_text(line)


#: What can be shown below each domain, by the keys of xentop: what it is, and its lines in so many columns.
DETAILS: dict[str, tuple[str, Callable[[Rates, int], Iterator[Text]]]] = {
    "V": ("vCPUs: what each took of a physical CPU, and of which", _vcpus),
    "N": ("networks: packets and bytes of each interface", _networks),
    "B": ("disks: requests and bytes of each", _disks),
}
#: For `?`.
HELP = (
    *((letter, f"order by {name}") for name, (letter, _) in ORDERS.items()),
    *((key, what) for key, (what, _) in DETAILS.items()),
)


def _domains(domains: Sequence[Rates], frame: Frame, width: int) -> Fitted:
    return _table(domains, wide=width >= _WIDE, traced=frame.lost_records is not None)


def _heading(name: str, frame: Frame) -> Text:
    states = Counter(domain.state for domain in frame.domains)
    line = Text(printable(name), "bold")
    used = sum(domain.cpu_percent for domain in frame.domains if domain.cpu_percent is not None)
    counted = ", ".join(f"{count} {state}" for state, count in states.most_common())
    line.append(f"  domains: {counted}; CPU {used:.0f} % in {frame.span_s:.1f} s", "not bold")
    if frame.lost_records:
        line.append(f"; {plural(frame.lost_records, 'trace record')} lost, there were more hypercalls", "red")
    return line


def _table(domains: Sequence[Rates], *, wide: bool, traced: bool) -> Fitted:
    disk = (">reads/s", ">read B/s", ">writes/s", ">written B/s") if wide else (">rd B/s", ">wr B/s")
    net = (">packets in/s", ">in B/s", ">packets out/s", ">out B/s") if wide else (">in B/s", ">out B/s")
    vcpus = wide or not traced  # 80 columns have no room for both
    table = views.table(
        ">ID",
        "~Name",
        "State",
        *([">CPU s"] if wide else []),
        ">CPU %",
        *([">calls/s"] if traced else []),
        *([">vCPU"] if vcpus else []),
        ">Memory",
        *disk,
        *net,
        flat=True,
    )
    for domain in domains:
        reads, writes = domain.reads_per_s, domain.writes_per_s
        packets_in, packets_out = domain.received_packets_per_s, domain.sent_packets_per_s
        table.add_row(
            views.words(domain.domid),
            views.words(domain.name),
            views.state(domain.state),
            *([views.seconds(domain.cpu_seconds)] if wide else []),
            _percent(domain.cpu_percent),
            *([_rate(domain.hypercalls_per_s)] if traced else []),
            *([views.words(domain.vcpus)] if vcpus else []),
            views.size(domain.memory_bytes),
            *([_rate(reads)] if wide else []),
            _rate(domain.read_bytes_per_s),
            *([_rate(writes)] if wide else []),
            _rate(domain.written_bytes_per_s),
            *([_rate(packets_in)] if wide else []),
            _rate(domain.received_bytes_per_s),
            *([_rate(packets_out)] if wide else []),
            _rate(domain.sent_bytes_per_s),
        )
    return table


def _percent(value: float | None) -> Text:
    return views.NONE if value is None else Text(f"{value:.1f}", "bold" if value >= _BUSY else "")


def _rate(value: float | None) -> Text:
    if value is None:
        return views.NONE
    size, prefix = next((one for one in _PREFIXES if value >= one[0]), (1.0, ""))
    return Text(f"{value / size:.3g}{prefix}" if prefix else f"{value:.0f}", "" if value else "dim")
