"""What a VM exit is for, by the names in the print format of the kernel that recorded it.

Ref: Linux, arch/x86/kvm/trace.h (kvm_exit), arch/x86/include/uapi/asm/vmx.h, svm.h
"""

from collections.abc import Iterable

from traces.kvm.formats.fields import Layout

#: What the field ``isa`` of kvm_exit says of AMD's.
AMD = 2
#: Of a reason of Intel's, the number; above are flags, of which one says that the guest was not entered.
_BASIC, _FAILED = 0xFFFF, 1 << 31


class Reasons:
    """Names reasons.

    :param layouts: of a trace's events
    """

    def __init__(self, layouts: Iterable[Layout]) -> None:
        tables = next((one.symbols("exit_reason") for one in layouts if one.name == "kvm_exit"), [])
        # A kernel's print format has Intel's names first, and AMD's behind.
        self._intel, self._amd = (tables[0], tables[-1]) if tables else ({}, {})

    def name(self, reason: int, *, amd: bool) -> str:
        """Name one; ``exit_0x7b`` if the kernel has no name for it."""
        if amd or reason <= _BASIC:
            return (self._amd if amd else self._intel).get(reason, f"exit_{reason:#x}")
        name = self._intel.get(reason & _BASIC, f"exit_{reason & _BASIC:#x}")
        return f"{name} (failed VM entry)" if reason & _FAILED else f"{name} ({reason & ~_BASIC:#x})"
