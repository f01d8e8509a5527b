"""What a daemon has to be told of a class of devices, disks or vifs, to serve them; all else is `service`."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

from pvdrivers.bus.device import Device, Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import Table


class Wanted(Protocol):
    """What a user says of a device, whatever else of its class."""

    @property
    def domain(self) -> str | None:
        """Whose it is to be, as the user calls it; None for the command's own."""
        ...

    @property
    def user(self) -> bool:
        """Whether a program in the guest is to use it, and not its kernel."""
        ...


class Served(Device, Protocol):
    """A device's backend."""

    @property
    def queues(self) -> int:
        """How many run."""
        ...

    @property
    def busy(self) -> int:
        """Requests that were taken and not answered."""
        ...

    def statistics(self) -> dict[str, int]:
        """Tell what was done since the device came to be."""
        ...


class Use(Protocol):
    """Something that is this process's, as long as a device is plugged in."""

    def close(self) -> None:
        """Give it back."""
        ...


class Home(NamedTuple):
    """Directories in XenStore: of backends, and of the frontends that they serve."""

    back: str
    front: str


_Wanted = TypeVar("_Wanted", bound=Wanted)
_Served = TypeVar("_Served", bound=Served)


class DeviceClass(ABC, Generic[_Wanted, _Served]):
    """A class of devices."""

    #: What one is called.
    noun: ClassVar[str]
    #: Where those are which a guest's kernel uses. The backends' is a kind of its own: no kernel's driver looks there.
    kernels: ClassVar[Home]
    #: Where those are which a program uses, and which no kernel's frontend takes.
    programs: ClassVar[Home]
    #: What a backend does when.
    table: ClassVar[Table]
    #: The backend's node that tells what is served; and the key by which a user chooses a device's number.
    told: ClassVar[str]
    key: ClassVar[str]
    #: Of what is told of each.
    schema: ClassVar[str]
    #: Asks whose a device is to be, and says how that is told.
    whose: ClassVar[str]

    @abstractmethod
    def name(self, spot: Spot) -> str:
        """Give what people call a device, of those of its domain."""

    @abstractmethod
    def numbers(self, wanted: Sequence[_Wanted], taken: Collection[int]) -> list[int]:
        """Give each device's number: its own, or the next that is free.

        :raises XentoolError: one is there twice
        """

    @abstractmethod
    def said(self, spot: Spot, wanted: _Wanted) -> str:
        """Give what `told` is to hold."""

    @abstractmethod
    def nodes(self, spot: Spot, wanted: _Wanted) -> tuple[Nodes, Nodes]:
        """Give what a toolstack writes for the backend, and for the frontend."""

    @abstractmethod
    def tried(self, spot: Spot, wanted: _Wanted) -> AbstractContextManager[object]:
        """Have what is to be served, as long as the context lasts, to see that it can be had.

        :raises XentoolError: it cannot, and what to do; or it is in use
        :raises DriverError: likewise
        """

    @abstractmethod
    def use(self, spot: Spot, wanted: _Wanted) -> Use | None:
        """Make what is served this process's own.

        :raises XentoolError: another has it
        """

    @abstractmethod
    def elsewhere(self, spot: Spot) -> bool:
        """Tell whether another process serves a device."""

    @abstractmethod
    def backend(self, transport: Transport, spot: Spot, wanted: _Wanted) -> _Served:
        """Make a device's backend."""

    def hangs(self, spot: Spot, device: _Served) -> bool:
        """Tell whether what a device was asked is not going to be done; asked again and again at the end."""
        del spot, device
        return False

    def abandon(self, device: _Served) -> None:
        """Have what does not come back fail, if it can be had; from any thread."""
        del device
