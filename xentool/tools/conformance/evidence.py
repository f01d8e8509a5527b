"""What cases that failed leave to look at, in a folder: one for each, with the command that repeats it.

``again.txt`` has that command, and what was seen; ``store.txt`` each node of both ends as it was when it had changed;
``pages.txt`` the indices of the rings whose pages lie in ``pages``; ``frames.pcapng`` what went by at a vif's other
side.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pvdrivers.abi.ring import HEADER
from pvdrivers.conformance.evidence import Evidence, Shared
from pvdrivers.conformance.run import Result
from pvdrivers.net.pcapng import Interface, Writer
from traces.foreign import printable
from xentool.errors import XentoolError
from xentool.tools.conformance.session import Judged, repeated

#: What a name of a file is made of; a domain's may have anything.
_ODD = re.compile(r"[^\w.@-]")


def keep(found: Sequence[Judged], folder: Path, now: datetime) -> list[Path]:
    """Write what there is, and give the folders.

    :param now: when the run began
    :raises XentoolError: one cannot be written
    """
    places = []
    for one in found:
        for result in one.results:
            if result.evidence:
                place = folder / _ODD.sub("_", one.subject) / result.case.ident
                try:
                    _write(place, one.subject, result, result.evidence, now)
                except OSError as error:
                    raise XentoolError(f"cannot write {error.filename or place}: {error.strerror}") from error
                places.append(place)
    return places


def _write(place: Path, subject: str, result: Result, evidence: Evidence, now: datetime) -> None:
    pages = place / "pages"
    pages.mkdir(parents=True, exist_ok=True)
    for left in pages.iterdir():
        # Of a former run.
        left.unlink()
    lines = []
    for number, shared in enumerate(evidence.shared):
        name = f"{number:02}-{shared.how}-{shared.grefs[0]}.bin"
        (pages / name).write_bytes(shared.content)
        lines.append(f"{name}  {_indices(shared)}")
    _text(place / "pages.txt", lines)
    nodes = [f"{each.seconds:10.6f}  {each.path} {_value(each.value)}" for each in evidence.nodes]
    _text(place / "store.txt", nodes)
    case = result.case
    words = [repeated(subject, result), f"{result.verdict.value}: {result.observation}", str(case.clause), case.does]
    _text(place / "again.txt", words)
    if evidence.frames:
        with (place / "frames.pcapng").open("wb") as file:
            writer = Writer(file, [Interface(subject, f"{case.ident} {case.title}")])
            began = int(now.timestamp() * 1e9)
            for frame in evidence.frames:
                writer.write(0, began + int(frame.seconds * 1e9), frame.data, inbound=frame.inbound)


def _text(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{printable(line)}\n" for line in lines))


def _value(value: bytes | None) -> str:
    return "is gone" if value is None else f"= {value.decode('ascii', 'backslashreplace')}"


def _indices(shared: Shared) -> str:
    # Of pages that are no ring's these are the first four words.
    words = memoryview(shared.content)[: HEADER.size].cast("I")
    names = ("req_prod", "req_event", "rsp_prod", "rsp_event")
    indices = " ".join(f"{name} {word}" for name, word in zip(names, words, strict=False))
    return f"{len(shared.grefs)} pages, {indices}"
