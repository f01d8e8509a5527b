"""A lab's key pairs, new for each boot."""

import subprocess
from pathlib import Path

from xentool.errors import Unavailable, XentoolError
from xentool.lab import seed

#: The one that opens dom0, and the one by which dom0 is known.
KEY, HOST_KEY, HOST_KEY_PUBLIC = "key", "host_key", "host_key.pub"


def make(run: Path) -> seed.Keys:
    """Make both, in place of older ones.

    :raises Unavailable: ssh-keygen is not installed
    """
    for name in (KEY, HOST_KEY):
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
        (run / f"{KEY}.pub").read_bytes(), (run / HOST_KEY).read_bytes(), (run / HOST_KEY_PUBLIC).read_bytes()
    )
