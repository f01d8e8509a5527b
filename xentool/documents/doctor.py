"""What works on a host, and what is missing."""

from typing import Literal, TypedDict


class Doctor(TypedDict):
    """``xentool doctor --json``."""

    schema: Literal["xentool.doctor/1"]
    host: str
    xen: str | None
    kernel: str | None  # of dom0, or of this machine
    load: float | None  # of the last minute
    checks: "list[Checked]"


class Checked(TypedDict):
    """A capability."""

    name: str
    commands: list[str]  # that need it
    state: Literal["works", "missing", "elsewhere"]  # elsewhere: this kind of machine has no use for it
    why: str | None
    mend: str | None  # a command, or words where there is none
