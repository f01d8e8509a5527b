"""See and exercise Xen paravirtualization: traces, tools, a lab."""

__version__ = "0.2.0"
