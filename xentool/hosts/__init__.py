"""Where dom0 is: this machine, any host that ssh reaches, or a lab; no caller knows which (see `base.Host`)."""

from xentool.hosts.base import Completed, Host
from xentool.hosts.resolve import resolve

__all__ = ["Completed", "Host", "resolve"]
