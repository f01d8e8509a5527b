"""What commands there are: where each is, and what it does in a line. Nothing here is loaded before it is asked for."""

WRONG_USAGE = 2
INTERRUPTED = 130
SUMMARY = "See and exercise Xen paravirtualization."
#: What is said to who says nothing: a few commands, and where more are.
FIRST = {
    "xentool trace domU": "what domU does: hypercalls, grants, exits, runs",
    "xentool report FILE": "the same of a trace in a file",
    "xentool list": "all domains; `xentool show domU`: all about one",
    "xentool store tree": "XenStore; `xentool store watch`: what changes",
    "xentool lab up": "boots real Xen on this machine, if it has none",
}
MORE = "xentool --help lists all commands; xentool COMMAND --help begins with examples."

COMMANDS = {
    "trace": ("xentool.cli.trace:command", "Show what a domain really does: hypercalls, grants, exits, scheduling."),
    "record": ("xentool.cli.record:command", "Keep a raw trace of a host in a file."),
    "report": ("xentool.cli.report:command", "Report on a trace file."),
    "diff": ("xentool.cli.diff:command", "Tell what differs between two trace files."),
    "dump": ("xentool.cli.dump:command", "Print a trace file, record by record."),
    "export": (
        "xentool.cli.export:command",
        "Convert a trace: for Perfetto, as a table, as JSON lines, for flame graphs.",
    ),
    "sql": ("xentool.cli.sql:command", "Ask a trace file questions in SQL."),
    "detect": ("xentool.cli.detect:command", "Tell what virtualizes this machine, how, and by which evidence."),
    "doctor": ("xentool.cli.doctor:command", "Tell what works on a host, what is missing, and what mends it."),
    "list": ("xentool.cli.list:command", "List the domains of a host."),
    "info": ("xentool.cli.info:command", "Tell what a host is: its hypervisor, CPUs and memory."),
    "show": ("xentool.cli.show:command", "Tell all about a domain, and what looks wrong with its devices."),
    "top": ("xentool.cli.top:command", "Show what each domain uses, again and again."),
    "grants": ("xentool.cli.grants:command", "Tell which pages a domain has granted, who uses them, and for what."),
    "evtchn": ("xentool.cli.evtchn:command", "Tell a domain's event channel ports and which device each serves."),
    "channels": ("xentool.cli.channels:command", "Show which domains are connected, and for which devices."),
    "walk": ("xentool.cli.walk:command", "Follow a domain's address through its page tables to the machine's memory."),
    "console": ("xentool.cli.console:command", "Attach this terminal to a domain's console."),
    "create": ("xentool.cli.create:command", "Make and start a domain from a configuration."),
    "destroy": ("xentool.cli.lifecycle:destroy", "End a domain at once."),
    "pause": ("xentool.cli.lifecycle:pause", "Keep a domain from running."),
    "unpause": ("xentool.cli.lifecycle:unpause", "Let a paused domain run again."),
    "shutdown": ("xentool.cli.lifecycle:shutdown", "Ask a domain to shut down."),
    "device": ("xentool.cli.device:group", "List PV devices, plug them in and out."),
    "block": ("xentool.cli.block:group", "Serve and measure disks: split block drivers in userspace."),
    "net": ("xentool.cli.net:group", "Serve and measure network interfaces: split net drivers in userspace."),
    "compare": ("xentool.cli.compare:command", "Count what the same work takes under Xen and KVM, side by side."),
    "conformance": ("xentool.cli.conformance:command", "Judge PV drivers by what Xen's headers say."),
    "fleet": ("xentool.cli.fleet:group", "Record many hosts at once, and report on many captures."),
    "store": ("xentool.cli.store:group", "Read, change, watch and serve XenStore."),
    "lab": ("xentool.cli.lab:group", "Boot real Xen, or KVM, on this machine, without virtualization hardware."),
    "host": ("xentool.cli.host:group", "Name hosts, and choose the one that commands use."),
    "explain": ("xentool.cli.explain:command", "Explain a hypercall, event, VM exit, run state, finding or term."),
    "schema": ("xentool.cli.schema:command", "Print the JSON Schema of a document that --json prints."),
    "man": ("xentool.cli.man:command", "Show manual pages, or write them into a folder."),
    "completion": ("xentool.cli.completion:command", "Print the completion script of a shell."),
}

#: How they are listed: what most come for first.
SECTIONS = {
    "Trace": ("trace", "record", "report", "diff", "dump", "export", "sql", "fleet"),
    "Look": ("list", "info", "show", "top", "grants", "evtchn", "channels", "walk", "detect", "doctor"),
    "Store": ("store",),
    "Drivers": ("device", "block", "net", "conformance"),
    "Lab": ("lab", "compare"),
    "Domains": ("console", "create", "destroy", "pause", "unpause", "shutdown"),
    "Tools": ("explain", "host", "man", "completion", "schema"),
}
