"""Devices plugged into domains and served by a daemon; what each class of them has of its own is told by `classes`."""
