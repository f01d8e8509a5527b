"""A command that serves devices: until it is told to end, saying what was done."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from xentool.cli.common.ending import Ending
from xentool.output import write_json


class Service(Protocol):
    """What `xentool.tools.serving` gives."""

    hangs: bool

    def look(self) -> None:
        """Look after domains that are gone."""
        ...

    def statistics(self) -> list[dict[str, Any]]:
        """Tell what each device has done."""
        ...


_Service = TypeVar("_Service", bound=Service)


def until_told(
    serving: AbstractContextManager[_Service],
    interval: float | None,
    *,
    as_json: bool,
    seen: Callable[[_Service], object] | None = None,
) -> None:
    """Serve until SIGTERM, SIGHUP or SIGINT; what was taken by then is done first.

    :param interval: seconds between statistics; None for those at the end alone
    :param as_json: whether to print any
    :param seen: looks at what is served so often, in place of statistics
    :raises KeyboardInterrupt: it was SIGINT
    """
    ending = Ending()
    with serving as service:
        told = time.monotonic()
        while not ending.wait(min(interval or 1.0, 1.0)):
            service.look()
            if (as_json or seen) and interval and time.monotonic() - told >= interval:
                told = time.monotonic()
                if seen:
                    seen(service)
                else:
                    _tell(service.statistics())
    if as_json and not seen:
        _tell(service.statistics())
    if service.hangs:
        # It was said. Nothing that is left to do would come back.
        os._exit(1)
    if ending.interrupted:
        raise KeyboardInterrupt


def _tell(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        write_json(row)
    sys.stdout.flush()
