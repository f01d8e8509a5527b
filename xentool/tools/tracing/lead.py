"""What a recording leaves to who makes several: when it begins, what ends it, and how its host's clock goes."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from traces.plain import frozen
from xentool.tools.tracing.capture import on_interrupt
from xentool.tools.tracing.moments import Offset
from xentool.tools.tracing.remote import Gate


@frozen
class Lead:
    """Who says when.

    :param gate: see `xentool.tools.tracing.remote`; None to begin at once
    :param ended_by: while its context lasts, what ends the recording is given to who wants to; tells whether it was
        called
    :param clock: the host's against this machine's, where somebody has measured it
    """

    gate: Gate | None = None
    ended_by: Callable[[Callable[[], None]], AbstractContextManager[Callable[[], bool]]] = on_interrupt
    clock: Offset | None = None


#: A recording of its own, which Ctrl-C ends.
ALONE = Lead()
