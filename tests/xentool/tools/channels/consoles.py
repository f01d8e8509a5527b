"""What Xen's console says of grants and ports."""

import json
from pathlib import Path

from xentool.tools.channels.ports import Port

DATA = Path(__file__).parent / "data"
CONSOLE = (DATA / "console-4.17.txt").read_text()
NODES = {path: value.encode("latin-1") for path, value in json.loads((DATA / "store-4.17.json").read_text()).items()}
#: Domain 5 grants 8, 9 and 1024, domain 6 as well 8; a channel between 5 and 6.
GRANTED = {0: (), 5: ((8, 0), (9, 0), (1024, 6)), 6: ((8, 0),)}
BOUND = {0: ((32, "s=3 n=0 x=0 d=5 p=15"),), 5: ((15, "s=3 n=0 x=0 d=0 p=32"), (16, "s=6 n=1 x=0")), 6: ()}


def console(release: int, stamp: str = "") -> str:
    """Give what Xen 4.``release`` prints. Ref: grant_table.c, event_channel.c, console.c of each stable branch"""
    lines = ["'e' pressed -> dumping event-channel info"]
    for domid, each in BOUND.items():
        lines += [f"Event channel information for domain {domid}:", "Polling vCPUs: {}"]
        lines += ["    port [p/m/s]" if release > 3 else "    port [p/m]"]
        state = "/B 123 " if release > 3 else ""
        lines += (f"    {port:4} [0/1{state}]: {what}" for port, what in each)
    lines += ["gnttab_usage_print_all [ key 'g' pressed"]
    for domid, grants_ in GRANTED.items():
        lines += ["      -------- active --------       -------- shared --------"]
        lines += ["[ref] localdom mfn      pin          localdom gmfn     flags"]
        if release < 10:
            lines += [f"grant-table for remote domain:{domid:5} (v1)"] if grants_ else []
        else:
            lines += [f"grant-table for remote d{domid} (v1)", "  1 frames (64 max), 0 maptrack frames (1024 max)"]
        for ref, mapper in grants_:
            number = f"[{ref:3}]   " if release < 9 else f"[0x{ref:03x}] "
            lines += [f"{number} {mapper:5} 0x12345 0x00000001      {mapper:5} 0x002345 0x19"]
        if not grants_:
            told = "no active grant table entries"
            lines += [told if release >= 10 else f"grant-table for remote domain:{domid:5} ... {told}"]
    return "".join(f"(XEN) {stamp}{line}\n" for line in [*lines, "gnttab_usage_print_all ] done"])


def port_of(domid: int, number: int, remote: tuple[int, int], *, stuck: bool = False) -> Port:
    return Port(
        domid, number, "interdomain", stuck, stuck, 0, for_xen=False, remote_domid=remote[0], remote_port=remote[1]
    )
