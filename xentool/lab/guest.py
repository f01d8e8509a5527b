"""A lab's guest: what it is started with, and what is known of one that runs."""

from dataclasses import dataclass

#: What a guest does all the time, at a steady, moderate rate.
WORKLOADS = {
    "idle": "nothing",
    "disk": "direct reads and writes to its disk",
    "net": "1400-byte pings to its host",
    "fork": "short-lived processes",
    "mixed": "disk, net and fork at once",
    "shell": "what its host sends to its TCP port 7000",
}


@dataclass(frozen=True)
class Guest:
    """What a guest is started with."""

    name: str
    type: str = "pv"
    vcpus: int = 1
    memory_mib: int = 192
    workload: str = "idle"
    disk_mib: int = 64
    #: Parameters of the kernel's block frontend. Persistent grants would be mapped once, and no trace show it.
    blkfront: tuple[str, ...] = ("feature_persistent=0",)
    #: What serves its disk under Xen: the "kernel", or "qemu", a process in dom0.
    backend: str = "kernel"
    #: Whether its kernel's log is to show in a trace: it may mark there what it does (see `traces.analyses.phases`).
    marks: bool = False

    @property
    def options(self) -> str:
        """What its init is told by the kernel's command line, whatever runs it."""
        # More than a few lines in five seconds would be left out.
        unlimited = "printk.devkmsg=on " if self.marks else ""
        return f"{unlimited}xentool.workload={self.workload} xentool.ip=@IP@"


@dataclass(frozen=True)
class Running:
    """A guest that runs.

    :param domid: Xen's number of it, or QEMU's process in the KVM host
    :param workload: None for a domain that somebody else started
    """

    name: str
    domid: int
    type: str | None
    vcpus: int
    workload: str | None
