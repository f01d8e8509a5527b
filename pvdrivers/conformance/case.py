"""A case as data: what is tried, what justifies what is allowed, and what each observation is worth."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pvdrivers.conformance.observation import Observation, Sights
from pvdrivers.xenbus import Role

#: The headers whose words clauses quote, as Debian's libxen-dev has them.
PINNED = "Xen 4.17"


class Verdict(StrEnum):
    """What a case says of a driver."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    #: A known divergence, listed in ``quirks.toml``.
    QUIRK = "quirk"
    #: A known divergence that is gone.
    XPASS = "xpass"
    #: The driver does not offer what the case is about.
    UNSUPPORTED = "unsupported"
    #: Nothing can be said: the case could not be carried out, or saw what nobody has listed.
    INCONCLUSIVE = "inconclusive"
    #: No answer, while its siblings answer.
    WEDGED = "wedged"
    CRASHED = "crashed"
    #: Grants, mappings, ports or descriptors that do not come back.
    LEAK = "leak"
    #: Not run on this driver: it does what it must not, as not to survive, and how is not published yet.
    WITHHELD = "withheld"


#: What fails a run (exit code 5).
FAILURES = frozenset({Verdict.FAIL, Verdict.WEDGED, Verdict.CRASHED, Verdict.LEAK})
#: What says nothing of a driver (exit code 3 when there is nothing else).
UNTESTED = frozenset({Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE, Verdict.WITHHELD})


class Risk(StrEnum):
    """What a case may do to the machine of a kernel's driver that does not pass."""

    SAFE = "safe"
    MAY_DISABLE = "may-disable"
    MAY_CRASH = "may-crash"


@dataclass(frozen=True)
class Clause:
    """Why what is allowed is.

    :param quote: words of the header, spaces and comment signs apart; empty where it says nothing
    :param must: whether the words leave no choice: what is not allowed then is a failure, else inconclusive
    :param source: where else it is said, or what drivers do: a kernel's function, a document
    """

    header: str
    quote: str = ""
    must: bool = True
    source: str = ""

    def __str__(self) -> str:
        said = f'{self.header} ({PINNED}): "{self.quote}"' if self.quote else f"{self.header}: silent"
        return f"{said}; {self.source}" if self.source else said


Steps = Callable[[Any], Sights]


@dataclass(frozen=True)
class Case:
    """A case.

    :param role: of the driver under test
    :param device: ``block`` or ``net``
    :param why: what goes wrong with a driver that does not pass, for people
    :param steps: of a rig: tries, and says what was seen
    :param allow: every conforming observation
    :param seeded: whether a seed makes a difference
    """

    ident: str
    title: str
    role: Role
    device: str
    clause: Clause
    why: str
    steps: Steps
    allow: Mapping[Observation, Verdict]
    needs: tuple[str, ...] = ()
    xsa: tuple[int, ...] = ()
    risk: Risk = Risk.SAFE
    seeded: bool = False

    @property
    def kind(self) -> str:
        """What the drivers are that it is for: one of `KINDS`."""
        return KINDS[self.device, self.role]

    @property
    def does(self) -> str:
        """What it does, in sentences."""
        return " ".join((self.steps.__doc__ or "").split())


#: What drivers are called, all of which have the same cases: by device, and role.
KINDS: Mapping[tuple[str, Role], str] = {
    ("block", Role.BACK): "Backends of disks",
    ("block", Role.FRONT): "Frontends of disks",
    ("net", Role.BACK): "Backends of network interfaces",
    ("net", Role.FRONT): "Frontends of network interfaces",
}


@dataclass
class Group:
    """Cases of one file, for one kind of driver; `case` adds the function that it decorates."""

    role: Role
    device: str
    cases: list[Case] = field(default_factory=list)

    def case(
        self,
        ident: str,
        title: str,
        *allowed: Observation,
        clause: Clause,
        why: str,
        needs: Iterable[str] = (),
        xsa: Iterable[int] = (),
        risk: Risk = Risk.SAFE,
        seeded: bool = False,
    ) -> Callable[[Steps], Steps]:
        """Make a case of the steps that follow; their docstring says what it does."""

        def add(steps: Steps) -> Steps:
            allow = dict.fromkeys(allowed, Verdict.PASS)
            self.cases.append(
                Case(
                    ident, title, self.role, self.device, clause, why, steps, allow,
                    tuple(needs), tuple(xsa), risk, seeded,
                )
            )  # fmt: skip
            return steps

        return add
