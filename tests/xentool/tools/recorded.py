"""What a lab's dom0 said with a PV guest of two vCPUs and a PVH guest, recorded on Xen 4.17."""

from pathlib import Path

GUESTS = Path(__file__).parent / "data/guests-4.17"
#: What ``xl_stats.sh`` printed, and ``xl info``.
STATS = (GUESTS / "stats.txt").read_text()
INFO = (GUESTS / "info.txt").read_text()


def store() -> dict[str, bytes]:
    """Read what ``xenstore-ls -f`` printed of the whole store."""
    lines = (line.partition(" = ") for line in (GUESTS / "store.txt").read_text().splitlines())
    return {path: value[1:-1].encode() for path, _, value in lines}
