"""What a vif's backend makes of its frontend's states, each after each other."""

from pvdrivers.conformance.cases.states import family
from pvdrivers.xenbus import Role

CASES = family("NBS", Role.BACK, "net")
