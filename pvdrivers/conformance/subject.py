"""What a driver under test is to the kit: it runs, and how it is doing; what devices it has, its device's folder says.

Law: these are protocols. Who starts drivers, and on what, knows transports; the kit does not.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from pvdrivers.xenbus import Role

#: What is in use of each kind: grants, mappings, ports, descriptors. Nothing that grows as it is needed: a cache, say.
Resources = Mapping[str, int]


class Bench(Protocol):
    """A driver under test that runs."""

    def resources(self) -> Resources:
        """Tell what is in use: of the driver, and of the kit's half."""
        ...

    def ended(self) -> str | None:
        """Tell why the driver is no more, or what mistake it caught since it was asked last; None for neither."""
        ...

    def effort(self) -> float:
        """Give the seconds of processor time that the driver has used until now."""
        ...


class Subject(Protocol):
    """A driver that can be tested.

    :ivar name: as the command line calls it
    :ivar kernel: whether a machine goes down with it
    """

    name: str
    version: str
    role: Role
    device: str
    kernel: bool

    def running(self) -> AbstractContextManager[Bench]:
        """Have it run.

        :raises MachineError: it cannot
        """
        ...
