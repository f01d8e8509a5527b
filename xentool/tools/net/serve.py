"""``xentool net serve``: which vifs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pvdrivers.net.back.backend import Backend
from xentool.errors import XentoolError
from xentool.tools.net.dump import places
from xentool.tools.net.dump.audience import Audience
from xentool.tools.net.dump.server import Server
from xentool.tools.net.vif_class import Vifs
from xentool.tools.net.vifs import Wanted
from xentool.tools.serving import serve as serving
from xentool.tools.serving.serve import Serving
from xentool.tools.serving.service import Service
from xentool.tools.transports import loopbacks

#: Outlives the process, not the machine.
_LOCKS = Path("/run/xentool/net")


@contextmanager
def serve(wanted: Serving[Wanted], log: Callable[[str], object]) -> Iterator[Service[Wanted, Backend]]:
    """Serve vifs as long as the context lasts, and have them watched by whoever wants; see `serving.serve`."""
    audience = Audience()
    # A loopback ends with this process.
    vifs = Vifs(None if wanted.loopback else _LOCKS, audience)
    with ExitStack() as stack:
        loopback = None if wanted.loopback is None else stack.enter_context(loopbacks.hosted(wanted.loopback))
        folder = loopback or places.folder(None)
        try:
            stack.enter_context(Server(folder, audience, log))
        except XentoolError as error:
            # Guests have their vifs all the same.
            log(f"vifs cannot be watched: {error}")
        yield stack.enter_context(serving.serve(wanted, vifs, log))
