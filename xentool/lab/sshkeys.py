"""A lab's key pairs, new for each start."""

import subprocess
from pathlib import Path

from xentool.errors import Unavailable, XentoolError
from xentool.lab import seed


def make(run: Path) -> seed.Keys:
    """Make the key that opens dom0, ``key``, and the one by which dom0 is known, ``host_key``, in place of older ones.

    :raises Unavailable: ssh-keygen is not installed
    """
    for name in ("key", "host_key"):
        for path in (run / name, run / f"{name}.pub"):
            path.unlink(missing_ok=True)
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "xentool lab", "-f", str(run / name)]
        try:
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=30)
        except FileNotFoundError:
            raise Unavailable("ssh-keygen is not installed; it is in Debian's package openssh-client") from None
        except subprocess.CalledProcessError as error:
            raise XentoolError(f"ssh-keygen failed: {error.stderr.decode(errors='replace').strip()}") from error
    return seed.Keys(
        (run / "key.pub").read_bytes(), (run / "host_key").read_bytes(), (run / "host_key.pub").read_bytes()
    )
