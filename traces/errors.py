"""What a trace can be blamed for."""


class TraceError(Exception):
    """The input is no trace at all; damage inside a trace is counted in ``Diagnostics`` instead."""


class SymbolError(Exception):
    """The input names no functions."""
