"""PCI functions for people, for ``show`` and ``device list``."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.padding import Padding

from xentool.cli.screens import views
from xentool.tools.devices.pci import Function


def write(found: Sequence[Function], names: Mapping[int, str | None], console: Console, indent: int = 0) -> None:
    """Write a line for each function, if there are any.

    :param names: of domains
    """
    if not found:
        return
    table = views.table("PCI function", "id", "is", "driver here", "~whose", ">IOMMU group", "~besides")
    for each in found:
        table.add_row(
            views.words(each.address),
            views.words(each.ids),
            views.words(each.kind),
            views.words(each.driver),
            views.words(_whose(each, names)),
            views.words(each.group),
            views.words("; ".join(_besides(each)) or None),
        )
    console.print()
    console.print(Padding(table, (0, 0, 0, indent), expand=False))


def _whose(each: Function, names: Mapping[int, str | None]) -> str | None:
    if each.domid is not None:
        return f"{names.get(each.domid) or f'domain {each.domid}'}, as {each.slot}"
    return "assignable" if each.assignable else None


def _besides(each: Function) -> list[str]:
    found = []
    if each.physical:
        found.append(f"virtual function of {each.physical}")
    if each.functions_max:
        found.append(f"{each.functions} of {each.functions_max} virtual functions in use")
    if each.group_with:
        found.append(f"its group has {', '.join(each.group_with)} too")
    if each.interfaces:
        found.append(f"interface {', '.join(each.interfaces)}")
    return found
