"""What a capturing host knew and a raw xentrace does not hold, in a small JSON file beside the capture.

The raw file stays what xentrace writes, so that every other tool reads it; without its sidecar a report lacks names.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traces.plain import frozen
from xentool.errors import PeerError
from xentool.tools.tracing import beside, bundle, packed

if TYPE_CHECKING:
    # A report on a file without a sidecar needs neither, and begins to read the earlier.
    from traces.analyses.report import DomainInfo
    from traces.counting.wallclock import Noted
    from traces.xen.formats.exits import Vendor
    from xentool.tools import xl
    from xentool.tools.tracing.moments import Offset

SCHEMA = "xentool.capture/1"
SUFFIX = ".meta.json"
#: Of all domains that a host can have it is not half of that.
BYTES_MAX = 4 << 20
#: Characters of a name, a version, a word of the command; XenStore's values have at most so many.
_TEXT_MAX = 4096
_REASON_MAX = 200
#: What JSON calls what is not shown.
_KINDS: dict[type, str] = {int: "an integer", list: "an array", dict: "an object", type(None): "null"}
_HZ_MAX, _MASK_MAX, _DOMID_MAX, _CPUS_MAX = 10**12, (1 << 32) - 1, (1 << 16) - 1, 1 << 16


@frozen
class Sidecar:
    """What the host said when the capture began.

    :param hz: clock rate of the time stamps, cycles a second
    :param mask: Xen's event mask
    :param domains: by domid
    :param command: the words by which the capture was made
    :param tracer_share: of one of dom0's processors, the share that the tracer itself took; known in the end
    :param vendor: of the processors, "intel" or "amd", as far as it is known
    :param recorded: when, by dom0's clock
    :param clock: dom0's against that of the machine where the capture is kept, where it was measured
    """

    host: str
    xen_version: str
    hz: float
    mask: int
    domains: "dict[int, DomainInfo]"
    command: tuple[str, ...] = ()
    tracer_share: float | None = None
    vendor: "Vendor | None" = None
    recorded: "Noted | None" = None
    clock: "Offset | None" = None


def of_host(name: str, info: "xl.HostInfo", mask: int, domains: "list[xl.Domain]") -> Sidecar:
    """Gather what a host says when this process is about to make a capture."""
    from traces.analyses.report import DomainInfo  # noqa: PLC0415 - see above

    infos = {domain.domid: DomainInfo(domain.name, domain.type) for domain in domains}
    return Sidecar(name, info.xen_version, info.hz, mask, infos, ("xentool", *sys.argv[1:]), vendor=info.vendor)


def path_of(capture: Path) -> Path:
    """Name the sidecar of a capture file."""
    return capture.with_name(capture.name + SUFFIX)


def _beside(capture: Path) -> Path:
    # A capture may have been compressed since, and its sidecar not renamed.
    unpacked = path_of(capture.with_name(packed.without_suffix(capture.name)))
    return unpacked if unpacked.exists() and not path_of(capture).exists() else path_of(capture)


def write(capture: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of a capture file."""
    path_of(capture).write_text(text(sidecar))


def text(sidecar: Sidecar) -> str:
    """Return what is in a sidecar's file."""
    import json  # noqa: PLC0415 - most traces have no such file

    from xentool.tools.tracing import moments  # noqa: PLC0415 - see above

    document = {
        "schema": SCHEMA,
        "host": sidecar.host,
        "xen_version": sidecar.xen_version,
        "hz": sidecar.hz,
        "vendor": sidecar.vendor,
        "mask": sidecar.mask,
        "command": sidecar.command,
        "tracer_cpu_share": sidecar.tracer_share,
        "recorded": sidecar.recorded and moments.document(sidecar.recorded),
        "clock": sidecar.clock and moments.offset_document(sidecar.clock),
        "domains": [
            {"domid": domid, "name": info.name, "type": info.mode} for domid, info in sorted(sidecar.domains.items())
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def read(capture: Path) -> Sidecar | None:
    """Read the sidecar of a capture file, or that in a bundle; None when it has none.

    :raises PeerError: it is no sidecar that this version can read
    """
    path = str(_beside(capture))
    try:
        data: bytes | None = beside.contents(Path(path), BYTES_MAX)
    except FileNotFoundError:
        path = f"{bundle.SIDECAR} in {capture}"
        data = bundle.sidecar(capture, BYTES_MAX)
    return None if data is None else parsed(data, path)


def parsed(data: bytes, name: str) -> Sidecar:
    """Read what a sidecar holds.

    :param name: of its file, for messages
    :raises PeerError: it is no sidecar that this version can read
    """
    try:
        return _parse(beside.parsed(data))
    except (ValueError, KeyError, TypeError) as error:
        import textwrap  # noqa: PLC0415 - see above

        why = textwrap.shorten(_why(error)[: 2 * _REASON_MAX], _REASON_MAX) or "it says too much"
        raise PeerError(f"{name} is no {SCHEMA} document ({why}); remove it to read the capture without") from error


def _parse(document: Any) -> Sidecar:  # noqa: ANN401 - whatever JSON holds
    from traces.analyses.report import DomainInfo  # noqa: PLC0415 - see above
    from traces.xen.formats.exits import VENDORS  # noqa: PLC0415 - see above
    from xentool.tools.tracing import moments  # noqa: PLC0415 - see above

    if document["schema"] != SCHEMA:
        raise ValueError(f"schema is {document['schema']!r}")
    hz = _number(document["hz"], 1, _HZ_MAX)
    share = document.get("tracer_cpu_share")
    return Sidecar(
        host=_text(document["host"]),
        xen_version=_text(document["xen_version"]),
        hz=hz,
        mask=_whole(document["mask"], _MASK_MAX),
        domains={
            _whole(one["domid"], _DOMID_MAX): DomainInfo(_text_or_none(one["name"]), _text_or_none(one["type"]))
            for one in _list(document["domains"])
        },
        # Captures of earlier versions of this program have none of these.
        command=tuple(map(_text, _list(document.get("command", [])))),
        tracer_share=None if share is None else float(_number(share, 0, _CPUS_MAX)),
        vendor=next((one for one in VENDORS if one == document.get("vendor")), None),
        recorded=None if (noted := document.get("recorded")) is None else moments.parsed(noted),
        clock=None if (clock := document.get("clock")) is None else moments.offset_parsed(clock),
    )


def _why(error: Exception) -> str:
    # What Python says of a missing or wrong part is about this program, not about the document.
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return "what must be an object is something else" if isinstance(error, TypeError) else str(error)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{_shown(value)} is no list")
    return value


def _number(value: object, least: int, most: int) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{_shown(value)} is no number from {least} to {most}")
    return value


def _whole(value: object, most: int) -> int:
    number = _number(value, 0, most)
    if number != int(number):
        raise ValueError(f"{_shown(value)} is no whole number")
    return int(number)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_MAX:
        raise ValueError(f"{_shown(value)} is no text of at most {_TEXT_MAX} characters")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _shown(value: object) -> str:
    # Neither a whole list nor all digits of a number, which Python may refuse to write.
    return f"{value!r:.30}" if isinstance(value, str | float | bool) else _KINDS.get(type(value), "something")
