"""What comes after a storm: whether a driver has anything to do any more, once nothing happens."""

from pvdrivers.conformance import waits
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Seen
from pvdrivers.conformance.subject import Bench
from pvdrivers.xenstore.client import Client

#: Of a processor's time: what an idle driver may use at most.
_IDLE = 0.5


def calmed(what: str, read: Seen, store: Client, bench: Bench, level: Level) -> Seen:
    """Wait for a driver to calm down after a storm that is over; tell whether it has.

    :param what: the storm was of
    :param read: a request behind it
    :param bench: of the driver
    """
    if read.observation is not O.OKAY:
        return read._replace(what=f"after {what}")

    def calm() -> bool:
        before = bench.effort()
        # Nothing is to happen meanwhile.
        waits.until(store, [], lambda: False, level.silence)
        return bench.effort() - before < _IDLE * level.silence

    if not waits.until(store, [], calm, level.deadline):
        return Seen(what, O.UNBOUNDED, f"still busy {level.deadline:g} s after the last of {level.storm}")
    return Seen(what, O.BOUNDED)
