"""PV devices: XenStore's nodes, both ends of each, what looks wrong, plugging."""
