"""``xentool block bench``, or ``net bench``, whose server ends while it measures."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from pvdrivers.transport.loopback import Loopback
from tests.xentool.cli.serving import serving

#: Backends' directories, of the devices that the first words make.
BACKS = {"block": "/local/domain/0/backend/udisk/1/51712", "net": "/local/domain/0/backend/uvif/1/0"}
#: What is said of one that parts before the bench has seen it connected.
CLOSES = ("Closing", "Closed")


def ended(place: Path, end: signal.Signals, group: str, *words: str) -> str:
    """Measure without end, end the server, and give what the bench says then, unless it is what it should say.

    :param place: where the loopback is to be
    :param words: what is served
    """
    argv = [sys.executable, "-m", "xentool", group, "bench", "--loopback", str(place), "--seconds", "86400"]
    with (
        serving(place, *words, group=group) as served,
        Loopback(place, 0) as dom0,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as bench,
    ):
        while dom0.store.read(f"{BACKS[group]}/state") != b"4" and bench.poll() is None:
            time.sleep(0.01)
        served.process.send_signal(end)
        said = bench.communicate()[0]
    # One that ends in order plugs out first: the backend parts, the device is gone, and then the loopback is. Which of
    # these a bench meets hangs on how far it is by then.
    gone = f"the loopback in {place} is gone: its process has ended"
    met = {gone}
    if end is signal.SIGTERM:
        parting = (f"the backend at {BACKS[group]} does not connect: it is in state {each}" for each in CLOSES)
        met |= {"the backend has parted", f"the device at {BACKS[group]} is gone", *parting}
    expected = bench.returncode == 1 and said in {f"xentool: {each}\n" for each in met}
    return "" if expected else f"{bench.returncode}: {said}"
