"""Takes a machine of Vagrant's as a lab: how ssh reaches it is kept, and it is the host in use from then on."""

import re
import subprocess
from pathlib import Path

from xentool.errors import Unavailable, XentoolError
from xentool.hosts import adopted, named
from xentool.lab.logged import indented
from xentool.lab.places import checked_name
from xentool.lab.progress import SILENT, Progress
from xentool.tools import xl

#: Where a machine's part of an ssh_config begins. Ref: ssh_config(5), Vagrant's templates/commands/ssh_config
_HOST = re.compile(r"^Host (?P<name>\S+)$", re.MULTILINE)


def vagrant(folder: Path, progress: Progress = SILENT) -> tuple[str, str]:
    """Adopt the machine that a folder's Vagrantfile describes, which must be up and have booted Xen.

    It goes by its name in the Vagrantfile: ``lab:NAME``, and NAME as a host's name.

    :return: its name, and the version of Xen that runs there
    :raises XentoolError: Vagrant says nothing of it, or it runs no Xen that root can ask
    :raises Unavailable: Vagrant is not installed, or the machine is not reached
    """
    progress.step("asking Vagrant how ssh reaches its machine")
    text = _told(folder)
    names = _HOST.findall(text)
    if len(names) != 1:
        raise XentoolError(f"{folder} has {len(names)} machines that are up; one is adopted where there is one")
    name = checked_name(names[0], "lab")
    _keep(adopted.config(name), text)
    progress.step(f"asking Xen in {name}")
    host = adopted.host(name)
    try:
        # Of the machine that had this name before, if it was another one.
        host.disconnect()
        version = xl.host_info(host).xen_version
    finally:
        host.close()
    named.add(name, f"lab:{name}")
    named.use(name)
    return name, version


def _told(folder: Path) -> str:
    try:
        done = subprocess.run(
            ["vagrant", "ssh-config"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        if error.filename == "vagrant":
            raise Unavailable("vagrant is not installed; apt install vagrant vagrant-libvirt brings it") from None
        raise XentoolError(f"{folder}: {error.strerror}") from error
    except OSError as error:
        raise XentoolError(f"{folder}: {error.strerror}") from error
    if done.returncode != 0:
        raise XentoolError(f"vagrant ssh-config in {folder} says:\n{indented(done.stderr)}")
    return done.stdout.decode(errors="replace")


def _keep(target: Path, text: str) -> None:
    # For the user alone, and whole or not at all: what was there goes on being used until then.
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        part.write_text(text)
        part.replace(target)
    except OSError as error:
        raise XentoolError(f"cannot write {target}: {error.strerror}") from error
