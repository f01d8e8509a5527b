"""What looks on at a running trace may ask of it, whichever hypervisor it is of."""

from collections.abc import Callable, Mapping
from typing import Protocol

from traces.analyses.report import DomainInfo
from traces.analyses.sofar import SoFar
from traces.choice.where import Where


class Watched(Protocol):
    """A trace that runs."""

    @property
    def source(self) -> str:
        """What makes its records, as a report names it: "xentrace" or "kvm"."""
        ...

    @property
    def where(self) -> Where:
        """What it is about; names the domain."""
        ...

    @property
    def infos(self) -> Mapping[int, DomainInfo]:
        """What the host says about its domains, by domid."""
        ...

    @property
    def stop(self) -> Callable[[], None]:
        """What ends it in order."""
        ...

    @property
    def seconds(self) -> float:
        """Seconds since records began, until the trace is to end."""
        ...

    def counts(self) -> tuple[int, int, int]:
        """Say how many bytes and records came, and how many records were lost."""
        ...

    def so_far(self) -> SoFar:
        """Read off what it shows of the domain."""
        ...


#: Is told of the trace after each piece of it, and given that piece's bytes; none at the end.
Look = Callable[[Watched, bytes], None]
