"""Make the tests' captures anew: for each Xen and each kind of guest, a second of mixed work in the lab.

Run by `make captures`. Existing tests hold numbers of no particular capture, so that new ones fit as well.
"""

import lzma
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
LAB = "captures"
SECONDS = "1.2"
#: Name of the capture, and what its guest is started with.
GUESTS = {
    "pv1": ["--type", "pv", "--vcpus", "1"],
    "pv2": ["--type", "pv", "--vcpus", "2"],
    "pvh": ["--type", "pvh", "--vcpus", "1"],
}


def xentool(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "xentool", *words], check=True)


def make(xen: str, kind: str) -> None:
    xentool("lab", "guest", "start", "domU", *GUESTS[kind], "--workload", "mixed", "--name", LAB)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        xentool("record", "domU", "--host", f"lab:{LAB}", "--duration", SECONDS, "--output", str(path))
        target = FOLDER / f"xen-{xen}-{kind}.xentrace.xz"
        target.write_bytes(lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
    xentool("lab", "guest", "stop", "domU", "--name", LAB)


def main() -> None:
    for xen in ("4.17", "4.20"):
        xentool("lab", "up", "--xen", xen, "--name", LAB)
        try:
            for kind in GUESTS:
                make(xen, kind)
        finally:
            xentool("lab", "down", "--name", LAB)


if __name__ == "__main__":
    main()
