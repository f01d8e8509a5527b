"""Whether KVM really runs a guest on this machine; a /dev/kvm that opens is no proof of that."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from xentool.lab import places

# A boot sector that writes to QEMU's isa-debug-exit port, after which QEMU's exit status is 2 * value + 1:
#   mov al, 0x10; out 0xf4, al; hlt
_BOOT_SECTOR = bytes([0xB0, 0x10, 0xE6, 0xF4, 0xF4]).ljust(510, b"\0") + b"\x55\xaa"
_RAN = 2 * 0x10 + 1
_TIMEOUT_S = 15


def choose() -> str:
    """Return ``kvm`` or ``tcg``, from what was found since the machine started, else by a probe of a second or so."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    path = places.probe()
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        known = {}
    # Who may open /dev/kvm differs between users who share a cache.
    user = str(os.geteuid())
    if known.get("boot") != boot or known.get("user") != user:
        known = {"boot": boot, "user": user, "accel": "kvm" if _runs_guest("kvm") else "tcg"}
        path.write_text(json.dumps(known))
    return str(known["accel"])


def _runs_guest(accel: str) -> bool:
    if accel == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    # A folder of its own: QEMU may abort there and leave a core file.
    with tempfile.TemporaryDirectory(prefix="xentool-kvm-") as folder:
        disk = Path(folder, "boot")
        disk.write_bytes(_BOOT_SECTOR)
        argv = ["qemu-system-x86_64", "-accel", accel, "-cpu", "max", "-m", "16", "-nodefaults", "-display", "none"]
        argv += ["-no-reboot", "-drive", f"file={disk},format=raw,if=ide,readonly=off"]
        argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
        try:
            ended = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, timeout=_TIMEOUT_S, check=False
            )
        except (subprocess.TimeoutExpired, OSError):
            return False
        return ended.returncode == _RAN
