"""How long a machine's processors were busy, as its kernel counts."""

import os
import time

from xentool.tools.conformance.spent import busy, spent

#: user, nice, system, idle, iowait, irq, softirq, steal, guest.
LINE = "cpu  200 30 100 99999 88888 7 63 5000 150 0"


def test_what_is_busy_is_all_but_idle_and_stolen() -> None:
    assert busy(LINE) * os.sysconf("SC_CLK_TCK") == 400


def test_this_machine_was_at_least_as_busy_as_this_process() -> None:
    began, mine = busy(), time.process_time()
    while time.process_time() < mine + 0.2:
        pass
    # Both count in ticks.
    assert busy() - began > 0.1
    assert spent(os.getpid()) > 0.1
