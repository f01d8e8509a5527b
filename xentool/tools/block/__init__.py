"""Disks served and used by the drivers of `pvdrivers.block`: on Xen, or on a loopback of this machine."""
