"""What others use of the lab: the command line, the tests, `make demo`."""

from xentool.lab.adopt import vagrant as adopt
from xentool.lab.cache import Left
from xentool.lab.cache import look as cached
from xentool.lab.cache import remove as discard
from xentool.lab.cache import whole as cache
from xentool.lab.down import down
from xentool.lab.guest import WORKLOADS, Guest, Running
from xentool.lab.guests import every as guest_list
from xentool.lab.guests import start as guest_start
from xentool.lab.guests import stop as guest_stop
from xentool.lab.guests import types as guest_types
from xentool.lab.hypervisors import HYPERVISORS, LEFT_OUT, TYPES, XEN
from xentool.lab.image import Image
from xentool.lab.image import ensure as build
from xentool.lab.logs import console, guest_console
from xentool.lab.progress import SILENT, Progress
from xentool.lab.record import Lab
from xentool.lab.releases import DEFAULT_XEN, RELEASES, STORES
from xentool.lab.shell import interact, run
from xentool.lab.status import DEFAULT_NAME, Status, running
from xentool.lab.status import every as status
from xentool.lab.sync import sync
from xentool.lab.up import up

__all__ = [
    "DEFAULT_NAME",
    "DEFAULT_XEN",
    "HYPERVISORS",
    "LEFT_OUT",
    "RELEASES",
    "SILENT",
    "STORES",
    "TYPES",
    "WORKLOADS",
    "XEN",
    "Guest",
    "Image",
    "Lab",
    "Left",
    "Progress",
    "Running",
    "Status",
    "adopt",
    "build",
    "cache",
    "cached",
    "console",
    "discard",
    "down",
    "guest_console",
    "guest_list",
    "guest_start",
    "guest_stop",
    "guest_types",
    "interact",
    "run",
    "running",
    "status",
    "sync",
    "up",
]
