"""The conformance kit on this machine: which drivers there are to be judged, and how results are told."""
