"""Running labs, found by the state files that `xentool lab` leaves; this module starts and changes none of them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traces.meant import meant
from xentool.errors import Unavailable

if TYPE_CHECKING:
    from xentool.hosts.ssh import SshHost

GET_ONE = "`xentool lab up` starts one"


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where labs and their images are kept: $XENTOOL_CACHE, $XDG_CACHE_HOME/xentool or ~/.cache/xentool."""
    if own := environ.get("XENTOOL_CACHE"):
        return Path(own)
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "xentool"


def running(environ: Mapping[str, str] = os.environ) -> dict[str, dict[str, Any]]:
    """Return the state of each lab whose QEMU lives, by the lab's name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(cache_directory(environ).glob("lab/run/*/state.json")):
        try:
            if path.stat().st_uid not in (os.geteuid(), 0):
                # Where a cache is in a folder of many, others could say where our lab is.
                continue
            state = json.loads(path.read_bytes())
        except (OSError, ValueError):  # being written or removed just now: a lab that starts or ends, not one that runs
            continue
        if isinstance(state, dict) and _is_qemu(state.get("qemu_pid")):
            found[path.parent.name] = state
    return found


def _is_qemu(pid: object) -> bool:
    # After QEMU died its process id may be anybody's, so the name is looked at as well.
    try:
        return b"qemu" in Path(f"/proc/{int(str(pid))}/cmdline").read_bytes().split(b"\0")[0]
    except (OSError, ValueError):
        return False


def ssh_options(state: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words by which ssh reaches a lab's dom0: its forwarded port, its own key only, no ssh_config."""
    return (
        *("-F", "none"),
        *("-p", str(state["ssh_port"])),
        *("-i", str(state["ssh_key"])),
        *("-o", "IdentitiesOnly=yes"),
        *("-o", "BatchMode=yes"),
        *("-o", "StrictHostKeyChecking=yes"),
        *("-o", f"UserKnownHostsFile={state['known_hosts']}"),
    )


def ssh_host(name: str, state: Mapping[str, Any]) -> "SshHost":
    """Return the dom0 of a lab, as root."""
    from xentool.hosts.ssh import SshHost  # noqa: PLC0415 - in dom0 itself it is not needed, and takes long to load

    return SshHost("root@127.0.0.1", options=ssh_options(state), name=f"lab:{name}")


def choose(name: str | None, labs: Mapping[str, Mapping[str, Any]]) -> "SshHost":
    """Pick a lab by name; without one, the lab ``default`` or the only lab that there is.

    :raises Unavailable: there is none, it still starts, or it is not clear which is meant
    """
    if name is None:
        if not labs:
            raise Unavailable(f"no lab is running; {GET_ONE}")
        name = "default" if "default" in labs else next(iter(labs))
        if name != "default" and len(labs) > 1:
            raise Unavailable(f"several labs are running ({', '.join(labs)}); choose with --host lab:NAME")
    if name not in labs:
        raise Unavailable(f"no lab {name} is running; `xentool lab up --name {name}` starts it{meant(name, labs)}")
    state = labs[name]
    if state.get("state") != "up":
        raise Unavailable(f"lab {name} is not up yet ({state.get('state')}); `xentool lab status` shows how far it is")
    return ssh_host(name, state)
