"""Xen's own account of grants and event channels: the debug keys ``g`` and ``e``, and where in its console they are.

Ref: xen/common/{grant_table,event_channel}.c and xen/drivers/char/console.c (printk_start_of_line), 4.2 to 4.21;
tools/xl/xl_misc.c
"""

import re

from xentool.errors import PeerError, XentoolError
from xentool.hosts import Host

#: ``e`` says where it begins and not where it ends; ``g`` says both, and comes behind it.
_SCRIPT = "xl debug-keys e && xl debug-keys g && xl dmesg"
_PORTS = "'e' pressed -> dumping event-channel info"
_GRANTS = "gnttab_usage_print_all [ key 'g' pressed"
_END = "gnttab_usage_print_all ] done"

# With console_timestamps Xen puts a time in front: a date, with milliseconds or not, seconds since it booted, or the
# time stamp counter. A grant's number stands in brackets as well: `[  8]`, `[0x008]`.
_STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?| *\d+\.\d{6}|[0-9a-f]{16}"
_LINE = re.compile(rf"\(XEN\) (?:\[(?:{_STAMP})\] )?(.*)")

_LOST = (
    "Xen's console does not hold all that its debug keys printed; "
    "boot Xen with a larger conring_size=, and with loglvl=info or none"
)
_NO_LINES = "`xl dmesg` has printed no line of Xen's that this program can read; its first is {!r:.100}"
_NO_DUMPS = "Xen's console has nothing that the debug keys e and g have printed, and {!r:.100} as its last line"


def read(host: Host) -> tuple[list[str], list[str]]:
    """Make Xen print both and give the lines on event channels and those on grants.

    This leaves a few lines for each domain in Xen's console, as the keys do.

    :raises XentoolError: xl cannot, or Xen's console is too small for what it had to print
    """
    done = host.run(["sh", "-c", _SCRIPT], check=False)
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise XentoolError(f"xl on {host.name} cannot press Xen's debug keys: {reason[0] if reason else 'no reason'}")
    return cut(done.stdout.decode(errors="replace"))


def cut(console: str) -> tuple[list[str], list[str]]:
    """Find the last dumps in Xen's console; lines that others wrote in between are left out.

    :returns: the lines on event channels, and those on grants
    :raises PeerError: they are not whole
    """
    all_lines = console.split("\n")
    lines = [match[1] for line in all_lines if (match := _LINE.fullmatch(line.rstrip("\r")))]
    if not console.strip():
        raise PeerError("`xl dmesg` has printed nothing: Xen's console is empty, or was cleared (`xl dmesg -c`)")
    if not lines:
        raise PeerError(_NO_LINES.format(next(iter(all_lines), "")))
    if not {_PORTS, _GRANTS, _END} & set(lines):
        # The keys print more than some consoles hold, but then at least their end is there.
        raise PeerError(_NO_DUMPS.format(lines[-1]))
    try:
        end = _last(lines, _END, len(lines))
        grants = _last(lines, _GRANTS, end)
        ports = _last(lines, _PORTS, grants)
        if _PORTS in lines[end:] or _GRANTS in lines[end:]:
            raise ValueError("the last dump's end is lost, and what was found is an earlier one")
    except ValueError:
        raise PeerError(_LOST) from None
    return lines[ports + 1 : grants], lines[grants + 1 : end]


def _last(lines: list[str], text: str, end: int) -> int:
    return end - 1 - lines[:end][::-1].index(text)
