"""What is done with a XenStore, wherever it is: `connect` and `opened`, and a module for each kind of thing to do."""

from xentool.tools.store.reach import connect, opened

__all__ = ["connect", "opened"]
