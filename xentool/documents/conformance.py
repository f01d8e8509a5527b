"""What PV drivers do, and what that is worth."""

from typing import Literal, TypedDict

Verdict = Literal[
    "pass",
    "fail",
    "quirk",
    "xpass",
    "unsupported",
    "inconclusive",
    "wedged",
    "crashed",
    "leak",
    "withheld",
]


class Case(TypedDict):
    """A case, and what became of it. ``xentool conformance --explain`` tells more of it."""

    id: str
    title: str
    device: Literal["block", "net"]
    role: Literal["front", "back"]  # of the driver under test
    xsa: list[int]  # security advisories that it belongs to
    clause: str  # the header's words, or where else it is said
    verdict: Verdict
    observation: str  # what was seen, in words
    seed: int  # with it, the case is the same again
    seconds: float
    resources: dict[str, int]  # what did not come back, by what it is; nothing was counted where it is empty


class Conformance(TypedDict):
    """`xentool conformance --json`; of several drivers, a list of these."""

    schema: Literal["xentool.conformance/1"]
    subject: str  # the driver, as the command calls it
    version: str
    cases: list[Case]  # all of this kind of driver, or those chosen
    summary: dict[str, int]  # how many have each verdict that there is
