"""Grants and event channels, as Xen tells them on its console, with the devices that they serve.

``dump`` asks Xen, ``grants`` and ``ports`` read what it prints, ``serves`` joins that with XenStore, ``findings`` tells
what looks wrong.
"""
