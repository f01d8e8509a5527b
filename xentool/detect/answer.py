"""From facts to the answer. Pure: the same facts give the same answer anywhere."""

from xentool.detect import hosted, techniques
from xentool.detect.claims import CPUINFO, SYSINFO, flags, is_metal
from xentool.detect.containers import containers
from xentool.detect.hypervisors import hypervisors
from xentool.detect.model import Answer, Evidence
from xentool.detect.sources import Facts


def answer(facts: Facts) -> Answer:
    """Say what virtualizes the machine that the facts are of."""
    machines, doubts = hypervisors(facts)
    shared, more_doubts = containers(facts)
    layers = (*machines, *shared)
    bare = () if machines else _bare(facts)
    return Answer(
        virtualized=True if layers else False if bare else None,
        bare=bare,
        layers=layers,
        hosted=hosted.hosted(facts, machines),
        techniques=techniques.techniques(facts, machines, bare),
        contradictions=(*doubts, *more_doubts),
        unread=facts.unread,
    )


def _bare(facts: Facts) -> tuple[Evidence, ...]:
    seen = flags(facts)
    found = [] if seen is None else [Evidence(CPUINFO, "flags: no hypervisor")]
    # Each hypervisor of System z says there what it is; partitions (LPARs) count as machines.
    if SYSINFO in facts.files:
        found.append(Evidence(SYSINFO, "none of VM00 Control Program"))
    if is_metal(facts):
        found.append(facts.evidence("/sys/class/dmi/id/product_name"))
    return tuple(found)
