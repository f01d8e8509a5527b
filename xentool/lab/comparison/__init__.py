"""Compares techniques of virtualization: the same guest does the same work under each, and traces are counted."""
