"""A backend's queues, each in a thread of its own: begun together, parted from together, their statistics summed up.

Law: what a queue does is not known here. One that ends by itself ends alone, and its device is told why.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from pvdrivers.bus.device import NOTHING, Nodes
from pvdrivers.errors import DriverError, mistake


class Sums:
    """Counts that can be added up; a data class that derives from this says of what, all of them numbers."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def document(self) -> dict[str, int]:
        """Give them by name."""
        return asdict(self)


_Counts = TypeVar("_Counts", bound=Sums)
_Counted_co = TypeVar("_Counted_co", bound=Sums, covariant=True)


class Served(Protocol[_Counted_co]):
    """A queue, which belongs to `Queued` from now on."""

    #: Why it ended, if not because it was told to.
    error: DriverError | None

    @property
    def stats(self) -> _Counted_co:
        """What it has done until now."""
        ...

    @property
    def busy(self) -> int:
        """Requests that were taken and not answered."""
        ...

    def run(self) -> None:
        """Serve until `stop`, or `error`; give everything back."""
        ...

    def stop(self) -> None:
        """Let `run` come to its end, its work done first; does not wait for it."""
        ...

    def close(self) -> None:
        """Give everything back, for a queue that has never run."""
        ...


class Queued(Generic[_Counts]):
    """The queues of a device's life, and what those of former ones have counted.

    :param none: counts of nothing
    """

    def __init__(self, none: _Counts) -> None:
        # Of queues that have ended.
        self._before = none
        self._running: list[tuple[Served[_Counts], threading.Thread]] = []
        self._parting: list[tuple[Served[_Counts], threading.Thread]] = []
        self._told: dict[str, int] = {}

    def begin(self, queues: Iterable[Served[_Counts]], fault: Callable[[DriverError], object]) -> None:
        """Run queues, once all are there.

        :param queues: makes them, one after the other
        :param fault: is told what ended one by itself
        :raises DriverError: as ``queues`` does; those before are closed by then
        """
        try:
            for queue in queues:
                thread = threading.Thread(target=_serve, args=[queue, fault], name="queue", daemon=True)
                self._running.append((queue, thread))
        except DriverError:
            self.part()
            raise
        for _, thread in self._running:
            thread.start()

    def part(self) -> None:
        """End all queues, what they have taken being answered first; not an error if there is none."""
        self._parting, self._running = self._running, []
        for queue, _ in self._parting:
            queue.stop()
        while self._parting:
            queue, thread = self._parting[0]
            if thread.ident is None:
                queue.close()
            else:
                thread.join()
            self._parting = self._parting[1:]
            self._before += queue.stats

    def __len__(self) -> int:
        return len(self._running)

    @property
    def running(self) -> list[Served[_Counts]]:
        """Those that run."""
        return [queue for queue, _ in self._running]

    @property
    def busy(self) -> int:
        """Requests that were taken and not answered."""
        return sum(queue.busy for queue, _ in (*self._running, *self._parting))

    def statistics(self) -> dict[str, int]:
        """Tell what was done since the device came to be."""
        return sum((queue.stats for queue, _ in (*self._running, *self._parting)), self._before).document()

    def news(self) -> Nodes:
        """Give what of the statistics is not written yet: whoever watches is told of each node."""
        done = self.statistics()
        if done == self._told:
            return NOTHING
        news = {name: number for name, number in done.items() if self._told.get(name) != number}
        self._told = done
        return {f"statistics/{name.replace('_', '-')}": number for name, number in news.items()}


def _serve(queue: Served[Any], fault: Callable[[DriverError], object]) -> None:
    # A frontend that breaks its ring loses that ring; the others, and those of other frontends, go on.
    try:
        queue.run()
    except Exception as error:  # noqa: BLE001 - a peer must hear of it, who waits for a thread that is no more
        fault(mistake(error))
        return
    if queue.error:
        fault(queue.error)
