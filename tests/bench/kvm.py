"""xentool beside trace-cmd and beside itself on traces of Xen, on one large trace.dat; prints ratios.

``python -m tests.bench.kvm [MEGABYTES]``
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.repeat import repeat
from tests.bench.report import XENTOOL, memory, ran
from tests.traces.captures import capture
from tests.traces.kvm.traces import PAGE, sample
from traces.kvm.decode import tracedat
from traces.kvm.formats import containers

MEGABYTES = 500
ROUNDS = 3
#: Times as fast as trace-cmd, at least; of its own records a second on Xen's traces, at least; megabytes, at most.
TRACE_CMD, OWN, MEMORY = 20, 0.5, 150
#: Nanoseconds that the last page may take, so that repetitions do not overlap.
LAST_PAGE = 100_000_000


def write(path: Path, small: Path, size: int) -> None:
    """Write a large trace of a small one, of version 6: its pages over and over, each time later."""
    data = small.read_bytes()
    with small.open("rb") as file:
        streams = tracedat.read(file, None).streams
    pages = [data[one.offset : one.offset + one.size] for one in streams]
    turns = -(-size // sum(map(len, pages)))
    table = data.index(containers.FLYRECORD, data.index(containers.OPTIONS_WORD)) + len(containers.FLYRECORD)
    at = min(one.offset for one in streams)
    head = bytearray(data[:at])
    for number, of in enumerate(pages):
        place = containers.PLACE.build({"offset": at, "size": turns * len(of)})
        head[table + len(place) * number : table + len(place) * (number + 1)] = place
        at += turns * len(of)
    starts = [int.from_bytes(of[at : at + 8], "little") for of in pages for at in range(0, len(of), PAGE)]
    length = max(starts) - min(starts) + LAST_PAGE
    with path.open("wb") as out:
        out.write(head)
        for of in pages:
            moved = bytearray(of)
            for turn in range(turns):
                for at in range(0, len(of), PAGE):
                    ts = int.from_bytes(of[at : at + 8], "little") + turn * length
                    moved[at : at + 8] = ts.to_bytes(8, "little")
                out.write(moved)


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else MEGABYTES) * 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        packed, small, large, xen = (Path(folder, name) for name in ("packed.dat", "small.dat", "large.dat", "xen"))
        packed.write_bytes(sample())
        convert = ["trace-cmd", "convert", "-i", str(packed), "-o", str(small), "--file-version", "6"]
        subprocess.run([*convert, "--compression", "none"], check=True, capture_output=True)
        write(large, small, size)
        with xen.open("wb") as file:
            repeat(capture("xen-4.17-pv1"), file, size)
        ours = [*XENTOOL, "report", "--json", str(large)]
        own = [*XENTOOL, "report", "--json", str(xen)]
        took: dict[str, list[float]] = {"ours": [], "trace-cmd": [], "xen": []}
        for _ in range(ROUNDS):
            took["ours"].append(ran(ours).took)
            took["xen"].append(ran(own).took)
        took["trace-cmd"].append(ran(["trace-cmd", "report", "-i", str(large)]).took)
        middle = {name: statistics.median(of) for name, of in took.items()}
        print(f"a trace.dat of {large.stat().st_size / 1e6:.0f} MB, report --json: {middle['ours']:.2f} s")
        ratio = middle["trace-cmd"] / middle["ours"]
        print(f"  trace-cmd report, once   {middle['trace-cmd']:.1f} s; ratio {ratio:.0f} (at least {TRACE_CMD})")
        rates = {name: _records(command) / middle[name] for name, command in (("ours", ours), ("xen", own))}
        print(
            f"  records a second         {rates['ours'] / 1e6:.1f} M, of a trace of Xen "
            f"{rates['xen'] / 1e6:.1f} M; ratio {rates['ours'] / rates['xen']:.2f} (at least {OWN})"
        )
        print(f"  memory                   {memory(ours)} MB (at most {MEMORY})")


def _records(command: list[str]) -> int:
    import json  # noqa: PLC0415 - of this alone

    told = subprocess.run(command, check=True, capture_output=True).stdout
    return int(json.loads(told)["capture"]["records"])


if __name__ == "__main__":
    main()
