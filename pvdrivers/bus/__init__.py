"""What runs a device's end over XenStore, whatever the device is: by the tables of `pvdrivers.xenbus`.

`end` is one end and its thread, `backends` finds all those of a kind that a domain is to serve, `nodes` reads what the
peer wrote, and `toolstack` plugs devices in and out. Drivers are `device.Device`s: they never write a state themselves.
"""
