"""The program's first lines: next to nothing is loaded before Ctrl-C is met.

What comes before is Python's own start and the lines of the script that pip makes, whose tracebacks are out of reach.
"""

import _thread
import sys
import time

#: Seconds by which what has hidden Ctrl-C is over.
_SOON = 0.01


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, also while it is being loaded and while Python ends."""
    sys.excepthook = lambda kind, error, _: _uncaught(kind, error)
    sys.unraisablehook = _interrupted_again
    from xentool.cli import main as run  # noqa: PLC0415 - takes long enough to be interrupted

    try:
        run()
    finally:
        sys.unraisablehook = _left_alone


def _uncaught(kind: type[BaseException], error: BaseException) -> None:
    # Python itself ends by the signal then, as a shell expects it.
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, error.__traceback__)


def _interrupted_again(lost: "sys.UnraisableHookArgs") -> None:
    # Where nothing can be raised, in a finalizer or as a lock of the import system goes, Ctrl-C would be lost. Neither
    # can it be here.
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_interrupt_soon, ())
    else:
        sys.__unraisablehook__(lost)


def _interrupt_soon() -> None:
    time.sleep(_SOON)
    _thread.interrupt_main()


def _left_alone(lost: "sys.UnraisableHookArgs") -> None:
    # Python is ending anyway.
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)


if __name__ == "__main__":
    main()
