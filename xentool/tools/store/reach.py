"""Where the XenStore is that a user means, and the way to it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from pvdrivers.xenstore.client import Client, ConnectionLost, NoStore, TimedOut, XenStoreError, find
from xentool.errors import Unavailable, XentoolError
from xentool.hosts import Host, named, resolve, waiting

# The device is for a store that lives in a domain of its own. It can be used where it is, and not be forwarded.
_PLACES = ("/run/xenstored/socket", "/var/run/xenstored/socket", "/dev/xen/xenbus")
_FIND = 'for path; do if [ -S "$path" ] || [ -c "$path" ]; then [ -w "$path" ] && echo "$path" && exit; fi; done'


class _Shown(Client):
    # Says on the terminal when requests are waited for.

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, timeout=waiting.of_requests())
        self._said = ExitStack()
        self._said.enter_context(waiting.shown(f"XenStore{name}", waits=lambda: self.pending))

    def close(self) -> None:
        self._said.close()
        super().close()


def connect(host: Host) -> Client:
    """Connect to a dom0's XenStore, over the host's connection.

    :raises Unavailable: there is none, this user may not use it, or the way is barred
    """
    found = host.run(["sh", "-c", _FIND, "sh", *_PLACES], check=False)
    path = found.stdout.decode(errors="replace").rstrip("\n")
    if not path:
        raise Unavailable(f"{host.name} has no XenStore that this user may use; root may, where xenstored runs")
    try:
        client = _Shown(host.forward(path), f" on {host.name}")
        client.domain_path(0)
    except ConnectionLost as error:
        raise Unavailable(
            f"XenStore on {host.name} closed the connection at once: xenstored does not run, "
            "or sshd forwards no sockets (AllowStreamLocalForwarding in its sshd_config)"
        ) from error
    except XenStoreError as error:
        raise Unavailable(f"{host.name}: {error}") from error
    return client


@contextmanager
def opened(where: str | None, environ: Mapping[str, str] = os.environ) -> Iterator[Client]:
    """Connect to the store that is meant, and turn what goes wrong with it into errors for users.

    That is: --host's, else $XENSTORED_PATH's or $XENSTORED_RUNDIR's, else $XENTOOL_HOST's, else that of the host in
    use, else this machine's (it may be a guest too), else a running lab's.

    :param where: the value of --host, None when it was not given
    :raises Unavailable: there is no store to be had, or it went away
    :raises XentoolError: the store refused something
    """
    try:
        if where is None and (local := here(environ)) is not None:
            with _Shown(local, "") as client:
                yield client
        else:
            with closing(resolve(where, environ)) as host, connect(host) as client:
                yield client
    except (NoStore, ConnectionLost) as error:
        raise Unavailable(str(error)) from error
    except TimedOut as error:
        raise XentoolError(f"{error}; --timeout SECONDS waits longer") from error
    except XenStoreError as error:
        raise XentoolError(str(error)) from error


def here(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Give the way to this machine's store, if that is meant by who names no host.

    :raises XentoolError: the file of hosts by name cannot be read
    """
    socket = environ.get("XENSTORED_PATH") or environ.get("XENSTORED_RUNDIR")
    if not socket and (environ.get("XENTOOL_HOST") or named.read(environ).used):
        return None
    try:
        return find(environ)
    except NoStore:
        return None
