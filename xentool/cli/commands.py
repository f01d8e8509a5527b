"""What commands there are: where each is, and what it does in a line. Nothing here is loaded before it is asked for."""

INTERRUPTED = 130
SUMMARY = "See and exercise Xen paravirtualization."

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
    "conformance": ("xentool.cli.conformance:command", "Judge PV drivers by what Xen's headers say."),
    "store": ("xentool.cli.store:group", "Read, change, watch and serve XenStore."),
    "lab": ("xentool.cli.lab:group", "Boot real Xen on this machine, without virtualization hardware."),
    "schema": ("xentool.cli.schema:command", "Print the JSON Schema of a document that --json prints."),
    "man": ("xentool.cli.man:command", "Show manual pages, or write them into a folder."),
    "completion": ("xentool.cli.completion:command", "Print the completion script of a shell."),
}
