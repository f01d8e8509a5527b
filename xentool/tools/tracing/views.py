"""What can be asked of a trace in SQL: its records as a table, and views of what they mean, of Xen's and of KVM's."""

from collections.abc import Mapping
from dataclasses import dataclass

DOMAINS = "domains"


@dataclass(frozen=True)
class View:
    """A view over ``events``: what one row of it is, and its query."""

    meaning: str
    select: str


VIEWS: Mapping[str, View] = {
    "hypercalls": View(
        "one hypercall, those in multicalls too; count is what a batching one asks for, is_restart one that goes on",
        """
        SELECT ns, pcpu, coalesce(domid, 32768) AS domid, coalesce(vcpu, pcpu) AS vcpu, nr, hypercall, subop, count,
               name = 'pv_hypercall_subcall' AS in_multicall,
               coalesce(name <> 'hvm_vmmcall' AND (nr IN (1, 26) AND w1 > 2147483647 OR nr = 20 AND w1 > 4095), false)
                   AS is_restart
        FROM events WHERE hypercall IS NOT NULL""",
    ),
    "runstates": View(
        "a vCPU's stay in one run state, as long as the next change tells its end; times in ns",
        """
        SELECT target_domid AS domid, target_vcpu AS vcpu, new AS state, ns AS begin_ns, pcpu,
               lead(ns) OVER (PARTITION BY target_domid, target_vcpu ORDER BY ns, byte_offset) AS end_ns,
               end_ns - begin_ns AS duration_ns
        FROM events WHERE name = 'sched_runstate_change'""",
    ),
    "exits": View(
        "a VM exit of a PVH or HVM guest until its next VM entry, time while it was descheduled included; in ns",
        """
        SELECT * EXCLUDE (kind, next_kind) FROM (
            SELECT coalesce(domid, 32768) AS domid, coalesce(vcpu, pcpu) AS vcpu, exit AS reason, ns AS begin_ns, pcpu,
                   name AS kind,
                   lead(name) OVER each AS next_kind,
                   lead(ns) OVER each AS end_ns,
                   end_ns - begin_ns AS duration_ns
            FROM events WHERE exit IS NOT NULL OR name = 'hvm_vmentry'
            WINDOW each AS (PARTITION BY coalesce(domid, 32768), coalesce(vcpu, pcpu) ORDER BY ns, byte_offset)
        ) WHERE kind <> 'hvm_vmentry' AND next_kind = 'hvm_vmentry'""",
    ),
    "grants": View(
        "a page that domain mapper mapped or unmapped of those that granter granted",
        """
        SELECT ns, pcpu, coalesce(domid, 32768) AS mapper, target_domid AS granter,
               name = 'mem_page_grant_map' AS is_map
        FROM events WHERE name IN ('mem_page_grant_map', 'mem_page_grant_unmap')""",
    ),
    "irqs": View(
        "a hardware interrupt, and cycles that Xen took to handle it (both stamps are cut to 32 bits)",
        """
        SELECT ns, pcpu, w0 AS irq, (w2::BIGINT - w1::BIGINT + (1::BIGINT << 32)) % (1::BIGINT << 32) AS cycles
        FROM events WHERE name = 'hw_irq_handled' AND w2 IS NOT NULL""",
    ),
}

#: Of KVM's machines; ties in time are told apart by where a processor wrote them.
KVM_VIEWS: Mapping[str, View] = {
    "hypercalls": View(
        "one hypercall of a guest",
        "SELECT ns, pcpu, domid, vcpu, nr, a0, a1, a2, a3 FROM events WHERE name = 'kvm_hypercall'",
    ),
    "runstates": View(
        "a vCPU's stay in one run state, from a switch or a wake on and as long as the next tells its end; times in ns",
        """
        SELECT domid, vcpu, replace(state, 'woken', 'runnable') AS state, ns AS begin_ns, pcpu,
               lead(ns) OVER each AS end_ns, end_ns - begin_ns AS duration_ns
        FROM (
            SELECT *, lag(state) OVER (PARTITION BY thread ORDER BY ns, byte_offset, step) AS before FROM (
                SELECT prev_pid AS thread, ns, pcpu, byte_offset, 0 AS step,
                       CASE WHEN (prev_state & 255) = 0 THEN 'runnable' ELSE 'blocked' END AS state
                FROM events WHERE name = 'sched_switch'
                UNION ALL
                SELECT next_pid, ns, pcpu, byte_offset, 1, 'running' FROM events WHERE name = 'sched_switch'
                UNION ALL
                SELECT sched_wakeup_pid, ns, pcpu, byte_offset, 2, 'woken' FROM events WHERE name = 'sched_wakeup'
            )
        ) JOIN (SELECT DISTINCT pid AS thread, domid, vcpu FROM events WHERE domid IS NOT NULL) USING (thread)
        WHERE state <> 'woken' OR before = 'blocked'
        WINDOW each AS (PARTITION BY thread ORDER BY ns, byte_offset, step)""",
    ),
    "exits": View(
        "a VM exit until its vCPU's next VM entry, time in the process and while it was switched out included; in ns",
        """
        SELECT domid, vcpu, exit AS reason, begin_ns, pcpu, end_ns, end_ns - begin_ns AS duration_ns,
               users > 0 AS went_to_user
        FROM (
            SELECT *, ns AS begin_ns, lead(name) OVER each AS next_kind, lead(ns) OVER each AS end_ns,
                   lead(user_exits) OVER each - user_exits AS users
            FROM (
                SELECT *, count(*) FILTER (name = 'kvm_userspace_exit') OVER (
                    PARTITION BY pid ORDER BY ns, byte_offset ROWS UNBOUNDED PRECEDING
                ) AS user_exits
                FROM events WHERE name IN ('kvm_exit', 'kvm_entry', 'kvm_userspace_exit')
            ) WHERE name <> 'kvm_userspace_exit'
            WINDOW each AS (PARTITION BY pid ORDER BY ns, byte_offset)
        ) WHERE name = 'kvm_exit' AND next_kind = 'kvm_entry'""",
    ),
    "accesses": View(
        "an access of a guest to a port or to memory of a device; address is the port, or where in its memory",
        """
        SELECT ns, pcpu, domid, vcpu, CASE name WHEN 'kvm_pio' THEN 'port' ELSE 'memory' END AS kind,
               coalesce(port, gpa) AS address, coalesce(rw, type - 1) = 1 AS is_write, coalesce(size, len) AS bytes, val
        FROM events WHERE name = 'kvm_pio' OR name = 'kvm_mmio' AND type IN (1, 2)""",
    ),
    "msrs": View(
        "an access of a guest to a model-specific register that made it exit",
        "SELECT ns, pcpu, domid, vcpu, ecx AS msr, write = 1 AS is_write, data FROM events WHERE name = 'kvm_msr'",
    ),
    "interrupts": View(
        "an interrupt that a vCPU was given",
        "SELECT ns, pcpu, domid, vcpu, vector FROM events WHERE name = 'kvm_inj_virq'",
    ),
}

_EVENTS, _DOMAINS = (
    "one record, in order of time; null where {} records no such thing",
    "a domain, and what the trace shows it to be",
)
#: Of many captures, of Xen's and of KVM's.
DATASET_VIEWS: Mapping[str, View] = {
    "captures": View(
        "a capture, with its records and their length in ns",
        "SELECT host, day, capture, count(*) AS records, max(ns) AS ns FROM events GROUP BY ALL",
    ),
}


def meanings(views: Mapping[str, View]) -> Mapping[str, str]:
    """Say what there is to be asked, and what one row of it is; of Parquet files there are no ``domains``."""
    found = {name: view.meaning for name, view in views.items()}
    if views is DATASET_VIEWS:
        return {"events": _EVENTS.format("a hypervisor") + "; with host, day and capture", **found}
    if views is KVM_VIEWS:
        return {"events": _EVENTS.format("KVM"), DOMAINS: f"{_DOMAINS}; of KVM a machine", **found}
    return {
        "events": _EVENTS.format("Xen"),
        DOMAINS: f"{_DOMAINS}; 32768 stands for what nobody says whose it is, by pCPU",
        **found,
    }


#: The same of all of Xen's traces, and of KVM's.
MEANINGS, KVM_MEANINGS = meanings(VIEWS), meanings(KVM_VIEWS)
