"""Whose guests a host runs, and one of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from xentool.hosts import Host
from xentool.tools import xl
from xentool.tools.memory import kvm, xen
from xentool.tools.memory.asking import asked
from xentool.tools.memory.guest import Guest


@contextmanager
def opened(host: Host, domain: str, vcpu: int) -> Iterator[Guest]:
    """Look at a domain of Xen's, or a machine of KVM's, by its name or number.

    :param vcpu: whose tables are taken
    :raises XentoolError: there is none, or it cannot be looked at
    """
    # As `local.is_dom0` has it; a host that is no dom0 has KVM, or nothing that could be asked.
    if b"control_d" in host.run(["cat", "/proc/xen/capabilities"], check=False).stdout:
        with asked(host, xen.PROGRAM) as ask:
            yield xen.guest(ask, xl.find_domain(host, domain), vcpu)
    else:
        with asked(host, kvm.PROGRAM) as ask:
            yield kvm.guest(ask, domain, vcpu)
