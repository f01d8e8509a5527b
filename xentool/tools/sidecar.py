"""What a capturing host knew and a raw xentrace does not hold, in a small JSON file beside the capture.

The raw file stays what xentrace writes, so that every other tool reads it; without its sidecar a report lacks names.
"""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xentool.errors import PeerError

if TYPE_CHECKING:
    # A report on a file without a sidecar needs neither, and begins to read the earlier.
    from traces.analyses.report import DomainInfo
    from xentool.tools import xl

SCHEMA = "xentool.capture/1"
SUFFIX = ".meta.json"


@dataclass(frozen=True)
class Sidecar:
    """What the host said when the capture began.

    :param hz: clock rate of the time stamps, cycles a second
    :param mask: Xen's event mask
    :param domains: by domid
    :param command: the words by which the capture was made
    :param tracer_share: of one of dom0's processors, the share that the tracer itself took; known in the end
    """

    host: str
    xen_version: str
    hz: float
    mask: int
    domains: "dict[int, DomainInfo]"
    command: tuple[str, ...] = ()
    tracer_share: float | None = None


def of_host(name: str, info: "xl.HostInfo", mask: int, domains: "list[xl.Domain]") -> Sidecar:
    """Gather what a host says when this process is about to make a capture."""
    from traces.analyses.report import DomainInfo  # noqa: PLC0415 - see above

    infos = {domain.domid: DomainInfo(domain.name, domain.type) for domain in domains}
    return Sidecar(name, info.xen_version, info.hz, mask, infos, ("xentool", *sys.argv[1:]))


def path_of(capture: Path) -> Path:
    """Name the sidecar of a capture file."""
    return capture.with_name(capture.name + SUFFIX)


def write(capture: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of a capture file."""
    document = {
        "schema": SCHEMA,
        "host": sidecar.host,
        "xen_version": sidecar.xen_version,
        "hz": sidecar.hz,
        "mask": sidecar.mask,
        "command": sidecar.command,
        "tracer_cpu_share": sidecar.tracer_share,
        "domains": [
            {"domid": domid, "name": info.name, "type": info.mode} for domid, info in sorted(sidecar.domains.items())
        ],
    }
    path_of(capture).write_text(json.dumps(document, indent=2) + "\n")


def read(capture: Path) -> Sidecar | None:
    """Read the sidecar of a capture file; None when it has none.

    :raises PeerError: it is no sidecar that this version can read
    """
    path = path_of(capture)
    try:
        return _parse(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise PeerError(f"{path} is no {SCHEMA} document ({error}); remove it to read the capture without") from error


def _parse(document: Any) -> Sidecar:  # noqa: ANN401 - whatever JSON holds
    from traces.analyses.report import DomainInfo  # noqa: PLC0415 - see above

    if document["schema"] != SCHEMA:
        raise ValueError(f"schema is {document['schema']!r}")
    hz = float(document["hz"])
    if not 0 < hz < math.inf:
        raise ValueError(f"hz is {hz}")
    return Sidecar(
        host=str(document["host"]),
        xen_version=str(document["xen_version"]),
        hz=hz,
        mask=int(document["mask"]),
        domains={int(one["domid"]): DomainInfo(_text(one["name"]), _text(one["type"])) for one in document["domains"]},
        # Captures of earlier versions of this program have neither.
        command=tuple(map(str, document.get("command", ()))),
        tracer_share=None if (share := document.get("tracer_cpu_share")) is None else float(share),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
