"""What a shell completes: hosts, labs, domains, paths of XenStore.

Whoever presses Tab waits: of a host only what it answers at once is told, over a connection that stands already. What
fails is told by the command, and not here: this writes nothing.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pvdrivers.xenstore.client import Client

#: Seconds for which each answer of a store is waited for; one that does not answer is asked once.
PATIENCE = 0.08
#: Where xenstored listens in every dom0, which asking there would take longer to find out.
_SOCKET = "/var/run/xenstored/socket"
#: Bytes of a sidecar, which is read whole.
_LONGEST = 1 << 20
_HOME = "/local/domain"

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _quietly(known: Callable[[click.Context, str], Iterable[str]]) -> Complete:
    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        try:
            with redirect_stderr(io.StringIO()):
                found = list(known(context, incomplete))
        except Exception:  # noqa: BLE001 - whatever it is, nothing is completed
            return []
        # What a shell would take apart, or a terminal would act on, is for people to write.
        return sorted({name for name in found if name.startswith(incomplete) and _plain(name)})

    return complete


def _plain(name: str) -> bool:
    return name.isprintable() and not any(each in name for each in " \t'\"\\$`")


def _hosts(_context: click.Context, _incomplete: str) -> Iterable[str]:
    from xentool.hosts import adopted, labs, named  # noqa: PLC0415 - commands that complete nothing need it not

    places = (f"lab:{name}" for name in (*labs.running(), *adopted.names()))
    return ["local", "lab", *places, *named.read().hosts]


def _named_hosts(_context: click.Context, _incomplete: str) -> Iterable[str]:
    from xentool.hosts import named  # noqa: PLC0415 - see above

    return named.read().hosts


def _labs(_context: click.Context, _incomplete: str) -> Iterable[str]:
    from xentool.hosts import labs  # noqa: PLC0415 - see above

    return labs.running()


def _domains(context: click.Context, _incomplete: str) -> Iterable[str]:
    from xentool.tools.store.together import together  # noqa: PLC0415 - see above

    with _store(context, whole=False) as client:
        domids = client.directory(_HOME)
        return [name.decode() for name in together(lambda domid: client.read(f"{_HOME}/{domid}/name"), domids)]


def _paths(context: click.Context, incomplete: str) -> Iterable[str]:
    above, slash, _ = incomplete.rpartition("/")
    if not slash:
        return ["/"]
    with _store(context, whole=True) as client:
        found = [f"{above}/{name}" for name in client.directory(above or "/")]
        fitting = [path for path in found if path.startswith(incomplete)]
        if len(fitting) == 1:
            # A shell would end the word there, but there may be more to say.
            fitting += [f"{fitting[0]}/{name}" for name in client.directory(fitting[0])]
        return fitting


@contextmanager
def _store(context: click.Context, *, whole: bool) -> "Iterator[Client]":
    # Connects to the store of the host that is meant, or `whole`, that which `store` would take: if it is at hand.
    from pvdrivers.xenstore.client import Client, find  # noqa: PLC0415 - see above
    from xentool.errors import Unavailable  # noqa: PLC0415 - see above
    from xentool.hosts import resolve  # noqa: PLC0415 - see above
    from xentool.hosts.local import LocalHost  # noqa: PLC0415 - see above
    from xentool.hosts.ssh import SshHost  # noqa: PLC0415 - see above
    from xentool.tools.store import reach  # noqa: PLC0415 - see above

    where = context.params.get("where")
    socket = reach.here() if whole and where is None else None
    with ExitStack() as open_until:
        if socket is None:
            host = open_until.enter_context(closing(resolve(where)))
            if isinstance(host, LocalHost):
                socket = find()
            elif isinstance(host, SshHost) and host.connected():
                socket = host.forward(_SOCKET)
            else:
                raise Unavailable(f"no connection to {host.name} stands")
        yield open_until.enter_context(Client(socket, timeout=PATIENCE))


def _traced(context: click.Context, _incomplete: str) -> Iterable[str]:
    # An option without its value, as here, leaves arguments unnamed.
    named = (context.params.get(name) for name in ("file", "before"))
    file = next((one for one in named if one is not None), None) or context.args[0]
    with Path(f"{file}.meta.json").open("rb") as sidecar:
        told = json.loads(sidecar.read(_LONGEST))
    return [domain["name"] for domain in told["domains"]]


#: For -H; for a host's own name.
hosts = _quietly(_hosts)
named_hosts = _quietly(_named_hosts)
#: Labs that run.
labs = _quietly(_labs)
#: Domains of the host that is meant; of the trace in a file, by what was noted beside it.
domains = _quietly(_domains)
traced = _quietly(_traced)
#: Of the XenStore that is meant.
paths = _quietly(_paths)
