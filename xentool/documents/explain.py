"""What words mean."""

from typing import Literal, TypedDict


class Explain(TypedDict):
    """``xentool explain --json``; without a word, all that are explained."""

    schema: Literal["xentool.explain/1"]
    explanations: "list[Explained]"


class Explained(TypedDict):
    """What one name means. A word may be several."""

    kind: (
        str  # hypercall, sub-operation, event, KVM event, VMX exit, SVM exit, trap, MSR, run state, finding, term, ...
    )
    name: str
    also: list[str]  # its other names
    why: str  # it exists
    when: str  # what makes it happen
    look: str  # headers, sections of manuals, commands, other words
