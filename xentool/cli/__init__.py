"""Command line: a command is a page that parses, makes one library call and renders.

The exit codes are a contract: 0 done; 1 the operation failed; 2 wrong usage; 3 no Xen, KVM or host to be had;
4 a peer, file or guest broke the protocol or format; 5 conformance failures; 130 interrupted.
"""

import errno
import gc
import os
import sys
from io import TextIOWrapper

from xentool.cli import quick
from xentool.cli.commands import INTERRUPTED
from xentool.errors import XentoolError


def main() -> None:
    """Run the command line; an error becomes one line on stderr and an exit code, never a traceback."""
    # What importing makes stays: looking through it for garbage again and again was a tenth of the start.
    gc.set_threshold(20_000)
    # Threads of compiled code need Python only for a moment, and should not wait for it as long as others keep it.
    sys.setswitchinterval(1e-4)
    # numpy brings threads for linear algebra, which is not done here, and they take time even so.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What a terminal's character set lacks is escaped, and is no reason to end.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = 1
    try:
        done = quick.run(sys.argv[1:])
        if done is None:
            from xentool.cli import root  # noqa: PLC0415 - brings click, which takes longer than what is quick

            done = root.run()
        code = done
        sys.stdout.flush()
    except XentoolError as error:
        _say(str(error))
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (a pager, head): nobody is left to tell. Python must not flush into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _say(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else _on_stdout(error)))
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a line
        if os.environ.get("XENTOOL_DEBUG"):
            import traceback  # noqa: PLC0415 - for those who look for a mistake

            from traces.foreign import printable_lines  # noqa: PLC0415 - see above

            sys.stderr.write(printable_lines(traceback.format_exc()))
        else:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            _say(f"a mistake in xentool itself: {said}; XENTOOL_DEBUG=1 shows where, please report it")
    sys.exit(code)


def _on_stdout(error: OSError) -> str:
    # Names where stdout goes, if there is no room for more: what failed does not say which file it was.
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ""
    try:
        os.write(1, b"\n")
    except OSError:
        # Python would try once more at the exit.
        where = os.readlink("/proc/self/fd/1")  # noqa: PTH115 - pathlib is for others
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return f": {where}"
    return ""


def _say(message: str) -> None:
    from xentool import output  # noqa: PLC0415 - help needs none of it

    output.say(message)
