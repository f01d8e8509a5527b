"""Captures: recorded, found, read, reported on, exported."""
