"""Judges PV drivers: cases that say what a driver may do, and why, run against any of them.

Law: the kit knows no driver, and believes none. It is the other end: by a `Transport`, XenStore's nodes, and rings that
it drives by hand, so that it can do what no driver of ours would. A case observes; what that is worth is judged
afterwards, against the header's words. Where the header says nothing, everything is allowed but a crash, a hang, a
leak, and bytes that are somebody else's.

A `case.Case` is data with a function; `registry` finds them. `subject` is what a driver under test is to the kit.
`run` runs cases, `judge` judges them; `quirks.toml` lists what drivers are known to do otherwise.
"""
