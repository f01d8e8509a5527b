"""See and exercise Xen paravirtualization: traces, tools, a lab."""

__version__ = "0.1.0"
