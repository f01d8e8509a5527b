"""Bytes of a trace.dat to records."""
