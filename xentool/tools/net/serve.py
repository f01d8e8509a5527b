"""``xentool net serve``: which vifs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from pvdrivers.net.back.backend import Backend
from xentool.tools.net.vif_class import Vifs
from xentool.tools.net.vifs import Wanted
from xentool.tools.serving import serve as serving
from xentool.tools.serving.serve import Serving
from xentool.tools.serving.service import Service

#: Outlives the process, not the machine.
_LOCKS = Path("/run/xentool/net")


def serve(wanted: Serving[Wanted], log: Callable[[str], object]) -> AbstractContextManager[Service[Wanted, Backend]]:
    """Serve vifs as long as the context lasts; see `serving.serve`."""
    # A loopback ends with this process.
    return serving.serve(wanted, Vifs(None if wanted.loopback else _LOCKS), log)
