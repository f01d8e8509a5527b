"""What a vif's frontend makes of its backend's states, each after each other."""

from pvdrivers.conformance.cases.states import family
from pvdrivers.xenbus import Role

CASES = family("NFS", Role.FRONT, "net")
