"""Command line: a command is a page that parses, makes one library call and renders.

The exit codes are a contract: 0 done; 1 the operation failed; 2 wrong usage; 3 no Xen, KVM or host to be had;
4 a peer, file or guest broke the protocol or format; 5 conformance failures; 130 interrupted.
"""

import gc
import os
import sys
import traceback
from io import StringIO

import click

from traces.foreign import printable_lines
from xentool import __version__, output
from xentool.cli.common.lazy import LazyGroup
from xentool.errors import XentoolError

INTERRUPTED = 130

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
    "list": ("xentool.cli.list:command", "List the domains of a host."),
    "info": ("xentool.cli.info:command", "Tell what a host is: its hypervisor, CPUs and memory."),
    "show": ("xentool.cli.show:command", "Tell all about a domain, and what looks wrong with its devices."),
    "top": ("xentool.cli.top:command", "Show what each domain uses, again and again."),
    "grants": ("xentool.cli.grants:command", "Tell which pages a domain has granted, who uses them, and for what."),
    "evtchn": ("xentool.cli.evtchn:command", "Tell a domain's event channel ports and which device each serves."),
    "channels": ("xentool.cli.channels:command", "Show which domains are connected, and for which devices."),
    "console": ("xentool.cli.console:command", "Attach this terminal to a domain's console."),
    "create": ("xentool.cli.lifecycle:create", "Make and start a domain from a configuration."),
    "destroy": ("xentool.cli.lifecycle:destroy", "End a domain at once."),
    "pause": ("xentool.cli.lifecycle:pause", "Keep a domain from running."),
    "unpause": ("xentool.cli.lifecycle:unpause", "Let a paused domain run again."),
    "shutdown": ("xentool.cli.lifecycle:shutdown", "Ask a domain to shut down."),
    "device": ("xentool.cli.device:group", "List PV devices, plug them in and out."),
    "block": ("xentool.cli.block:group", "Serve and measure disks: split block drivers in userspace."),
    "store": ("xentool.cli.store:group", "Read, change, watch and serve XenStore."),
    "lab": ("xentool.cli.lab:group", "Boot real Xen on this machine, without virtualization hardware."),
    "man": ("xentool.cli.man:command", "Show manual pages, or write them into a folder."),
    "completion": ("xentool.cli.completion:command", "Print the completion script of a shell."),
}


@click.group(cls=LazyGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="xentool")
def group() -> None:
    """See and exercise Xen paravirtualization."""


def main() -> None:
    """Run the command line; an error becomes one line on stderr and an exit code, never a traceback."""
    # What importing makes stays: looking through it for garbage again and again was a tenth of the start.
    gc.set_threshold(20_000)
    # Threads of compiled code need Python only for a moment, and should not wait for it as long as others keep it.
    sys.setswitchinterval(1e-4)
    # numpy brings threads for linear algebra, which is not done here, and they take time even so.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = 1
    try:
        code = group.main(prog_name="xentool", standalone_mode=False) or 0
        sys.stdout.flush()
    except click.ClickException as error:
        shown = StringIO()
        error.show(shown)
        click.echo(printable_lines(shown.getvalue()), nl=False, err=True)
        code = error.exit_code
    except XentoolError as error:
        output.say(str(error))
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (a pager, head): nobody is left to tell. Python must not flush into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        output.say(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a line
        if os.environ.get("XENTOOL_DEBUG"):
            click.echo(printable_lines(traceback.format_exc()), nl=False, err=True)
        else:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            output.say(f"a mistake in xentool itself: {said}; XENTOOL_DEBUG=1 shows where, please report it")
    sys.exit(code)
