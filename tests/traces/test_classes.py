"""Classes of events: the mask lets through what a class means, and no mask is larger than it has to be."""

import pytest

from traces.choice import classes
from traces.choice.classes import ALL_EVENTS, CLASSES, classes_of, is_recorded
from traces.choice.where import kinds, names_of
from traces.xen.formats.events import EVENTS
from traces.xen.formats.names import HYPERCALLS

RUNSTATE_BLOCKED_RUNNING, SWITCH_INFPREV, CSCHED2_TICKLE = 0x0002_1201, 0x0002_800E, 0x0002_2201
HYPERCALL_V2, SUBCALL, VMMCALL = 0x0020_100D, 0x0020_200E, 0x0008_2012
GRANT_MAP, SET_P2M, VMENTRY, VMEXIT64, IRQ_HANDLED = 0x0010_F001, 0x0010_F004, 0x0008_1001, 0x0008_1102, 0x0080_2008
PAGE_FAULT64, PTWR64, TRAP, PRIVOP64, IOPORT_WRITE = 0x0020_1104, 0x0020_110B, 0x0020_1003, 0x0020_1106, 0x0008_2216


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("hypercall", {"hypercall"}),
        ("hypercall,grant", {"hypercall", "grant"}),
        (" grant , io ", {"grant", "io"}),
        ("!irq", set(CLASSES) - {"irq"}),
        ("all,!irq,!mm", set(CLASSES) - {"irq", "mm"}),
        ("!io,trap,io", {"trap"}),
        ("all", set(CLASSES)),
    ],
)
def test_names_and_negations(text: str, classes: set[str]) -> None:
    assert kinds(text).classes == classes


@pytest.mark.parametrize("text", ["", "hypercalls", "grant,", "!", "!foo", "!all", "grant,!grant"])
def test_what_is_wrong_is_said_with_the_valid_names(text: str) -> None:
    with pytest.raises(ValueError, match="hypercall, grant, evtchn, sched, exit, mm, trap, irq, io, all"):
        kinds(text)


def test_all_is_what_xen_starts_with() -> None:
    assert kinds("all").mask == ALL_EVENTS == 0x0FFF_F000


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("sched", 0x0006_B000),
        ("exit", 0x000E_9000),
        ("irq", 0x008E_B000),
        ("hypercall", 0x002E_B000),
        ("grant", 0x003E_B000),
        ("mm", 0x007E_B000),
        ("sched_runstate_change", 0x0006_9000),
        ("mem_page_grant_map", 0x0016_9000),
        ("mmu_update", 0x002E_B000),
    ],
)
def test_smallest_masks(text: str, mask: int) -> None:
    assert kinds(text).mask == mask


def wanted(text: str) -> set[int]:
    chosen = kinds(text)
    calls = {event for event in classes.HYPERCALL_EVENTS for nr in HYPERCALLS if chosen.keep(names_of(event, nr))}
    return calls | {event.id for event in EVENTS if chosen.keep(names_of(event.id))}


CHOICES = [*CLASSES, "!irq", "mmu_update", "sched_switch,iret", "pm_idle_entry", "!sched,!exit"]


@pytest.mark.parametrize("text", CHOICES)
def test_everything_chosen_passes_its_mask(text: str) -> None:
    mask = kinds(text).mask
    assert wanted(text)
    assert all(is_recorded(event, mask) for event in wanted(text))
    assert is_recorded(RUNSTATE_BLOCKED_RUNNING, mask)
    assert is_recorded(SWITCH_INFPREV, mask)


@pytest.mark.parametrize("text", CHOICES)
def test_no_bit_of_a_mask_can_go(text: str) -> None:
    mask = kinds(text).mask
    needed = [*wanted(text), *(place + 1 for place in classes.ALWAYS)]
    for bit in (1 << i for i in range(32) if mask >> i & 1):
        assert not all(is_recorded(event, mask & ~bit) for event in needed)


def test_what_was_not_asked_for_stays_out_where_xen_can_tell() -> None:
    assert not is_recorded(VMMCALL, kinds("exit").mask)
    assert not is_recorded(CSCHED2_TICKLE, kinds("exit").mask)
    assert not is_recorded(IRQ_HANDLED, kinds("hypercall,grant").mask)
    assert not is_recorded(GRANT_MAP, kinds("hypercall").mask)


@pytest.mark.parametrize(
    ("event", "hypercall", "classes"),
    [
        (HYPERCALL_V2, 1, {"hypercall", "mm"}),
        (HYPERCALL_V2, 29, {"hypercall"}),
        (SUBCALL, 20, {"hypercall", "grant"}),
        (VMMCALL, 32, {"hypercall", "evtchn"}),
        (GRANT_MAP, None, {"grant"}),
        (GRANT_MAP, 1, {"grant"}),
        (SET_P2M, None, {"mm"}),
        (RUNSTATE_BLOCKED_RUNNING, None, {"sched"}),
        (CSCHED2_TICKLE, None, {"sched"}),
        (VMENTRY, None, {"exit"}),
        (VMENTRY | 0x400, None, {"exit"}),
        (VMEXIT64, None, {"exit"}),
        (PAGE_FAULT64, None, {"mm"}),
        (PTWR64, None, {"mm"}),
        (TRAP, None, {"trap"}),
        (TRAP | 0x100, None, {"trap"}),
        (PRIVOP64, None, {"io"}),
        (IOPORT_WRITE, None, {"io"}),
        (IRQ_HANDLED, None, {"irq"}),
        (0x0040_F008, None, {"mm"}),
        (0x0080_1002, None, set()),
        (0x0001_F003, None, set()),
    ],
)
def test_classes_of_an_event(event: int, hypercall: int | None, classes: set[str]) -> None:
    assert classes_of(event, hypercall) == classes
