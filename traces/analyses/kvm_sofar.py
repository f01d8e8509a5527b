"""What a running trace of a machine of KVM's shows so far: counts by name, which only grow.

Times come as intervals end: a vCPU that runs on without a break shows its time later.
"""

from collections import defaultdict

from traces.analyses.sofar import SoFar, Tally
from traces.answers import Report, VcpuReport
from traces.choice.where import Where

_WAITS = (("wake to run", "wake_to_run"), ("preempted", "preempted_to_run"))


def so_far(report: Report, where: Where) -> SoFar:
    """Read off what a report that is not over yet shows of one machine.

    :param where: names it, and which of its vCPUs
    """
    exits: defaultdict[str, Tally] = defaultdict(Tally)
    io: defaultdict[str, Tally] = defaultdict(Tally)
    waits, states = {}, {}
    for vcpu in _chosen(report, where):
        for exit_ in vcpu.exits:
            exits[exit_.name].add(exit_.count, exit_.seconds)
        for one in vcpu.io:
            io[f"{one.kind} {one.address:#x}"].add(one.reads + one.writes)
        for name, key in _WAITS:
            if key in vcpu.latencies:
                waits[f"{name} v{vcpu.vcpu}"] = Tally(vcpu.latencies[key].count, vcpu.latencies[key].seconds)
        if vcpu.runstates:
            states[f"v{vcpu.vcpu}"] = _states(vcpu)
    return SoFar(exits=dict(exits), waits=waits, runstates=states, io=dict(io))


def _chosen(report: Report, where: Where) -> list[VcpuReport]:
    return [
        vcpu
        for domain in report.domains
        if domain.domid == where.domid
        for vcpu in domain.vcpus
        if not where.vcpus or vcpu.vcpu in where.vcpus
    ]


def _states(vcpu: VcpuReport) -> dict[str, float]:
    # Where it ran is told in place of that it did.
    found = dict(vcpu.runstates["running"].modes or {})
    return found | {name: state.seconds for name, state in vcpu.runstates.items() if name != "running"}
