"""One guest's network in the lab, by Linux's backend, by QEMU's and by ours: the same load on each; prints ratios.

``python -m tests.bench.net_xen [ROUNDS]``; the ways take turns, so that a slower minute of the machine hits all. All of
it is under emulation: what a call into the hypervisor costs there is not what it costs on a machine.

Each way is a subnet of its own, without a bridge: one interface in the guest, and one in dom0. QEMU for Xen is no part
of the lab's image: Debian's packages are fetched and unpacked into the dom0 of this lab alone. Its backend is of use
from QEMU 8.2 on, and so of Xen 4.20's Debian: what older ones send goes nowhere.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tests.bench.block_xen import QEMU
from tests.xen import networks
from tests.xen.blocks import Guest, end, start
from tests.xen.labs import Lab
from tests.xen.networks import Subnet
from tests.xen.packages import install
from tests.xen.userland import Userland, userland
from xentool.lab import api

NAME, XEN = "bench-net", "4.20"
GUEST = "loaded"
SECONDS = 2
#: Without its check sequence.
SMALL = 60
#: A vif of the kernel's backend whose frontend is a program of ours.
OURS = "999"
#: Of the vif that is ours, in its guest.
HANDLE = 2
#: What is asked for: our share of each peer's rate.
TCP_WANTED, SMALL_WANTED, FRONT_WANTED = {"netback": 0.9, "qnic": 8.0}, {"netback": 0.8}, {"netback": 0.8}


@dataclass(frozen=True)
class Way:
    """A way between guest and dom0.

    :param name: of whose backend it is
    :param netdev: dom0's end
    """

    name: str
    subnet: Subnet
    netdev: str


QEMU_START = f"""
id=$(xl domid {GUEST})
{QEMU} -xen-domid $id -xen-attach -name {GUEST} -nographic -M xenpv -daemonize -monitor /dev/null -serial /dev/null \\
    -parallel /dev/null -nodefaults -no-user-config -pidfile /run/qemu.pid \\
    -netdev tap,id=net,ifname={{}},script=no,downscript=no -device xen-net-device,netdev=net,mac=00:16:3e:00:0f:03
"""
#: In dom0: sets up its end of a way, on no bridge; a guest may have its own before that is there.
UP = """
until [ -e /sys/class/net/{netdev} ]; do sleep 0.2; done
ip link set {netdev} nomaster up
ip address add {address}/24 dev {netdev}
"""
#: Sends small frames by an interface, many a system call, and waits where they are not taken as fast.
PUMP = """
import os, select, socket, sys
from pvdrivers.net.load.lanes import LoadLane
from pvdrivers.net.load.traffic import frame
from pvdrivers.net.ports.base import ALL
from pvdrivers.net.ports.packet import Packet
from pvdrivers.net.record import RECORD
made = LoadLane(frame(int(sys.argv[2]), gso=False))
(lane,) = Packet(sys.argv[1]).open(1, ALL)
# As many as a ring has slots: more would wait in the kernel, or be dropped there.
socket.socket(fileno=os.dup(lane.fileno())).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 << 10)
ready = select.poll()
ready.register(lane, select.POLLOUT)
made.begin()
print("xentool: serving", file=sys.stderr, flush=True)
records = memoryview(bytearray(64 * RECORD.size))
while ready.poll():
    lane.send_packed(made.arena, records[: made.receive_packed(records) * RECORD.size])
"""
#: In a guest: our frontend, which sends such frames.
FRONT = """
import signal, sys
from pvdrivers.net.front import frontend
from pvdrivers.net.load.lanes import LoadLane
from pvdrivers.net.load.port import LoadPort
from pvdrivers.net.load.traffic import frame
from pvdrivers.transport.xen import Xen
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
port = LoadPort(lambda: LoadLane(frame(int(sys.argv[2]), gso=False)))
with Xen() as xen:
    here = f"{xen.store.domain_path(xen.domid)}/device/uvif/{sys.argv[1]}"
    with frontend.joined(xen, here, port):
        port.lanes[0].begin()
        print("xentool: serving", file=sys.stderr, flush=True)
        signal.sigwait([signal.SIGTERM])
"""
#: At the other end: frames that had come, and when, of two moments.
RECEIVED = f"""
look() {{{{ cat /sys/class/net/{{0}}/statistics/rx_packets; cut -d" " -f1 /proc/uptime; }}}}
sleep 0.5; look; sleep {SECONDS}; look
"""


def attach(lab: Lab, guest: Guest) -> list[Way]:
    """Give the guest its interfaces, one after the other, so that it is known which is which."""
    ways: list[Way] = []

    def add(name: str, netdev: str) -> None:
        number = len(ways) + 1
        way = Way(name, Subnet(number, f"eth{number}"), netdev)
        networks.bring_up(guest, way.subnet)
        lab.run("sh", "-ec", UP.format(netdev=netdev, address=way.subnet.dom0))
        ways.append(way)

    lab.run("xl", "network-attach", GUEST, "script=vif-xentool")
    add("netback", f"vif{guest.domid}.1")
    start(lab, "serve", "xentool", "net", "serve", "--json", "--vif", f"domain={GUEST},port=tap:ours,handle={HANDLE}")
    add("ours", "ours")
    lab.run("sh", "-ec", QEMU_START.format("qnic"))
    add("qnic", "qnic")
    return ways


class Bench:
    """The guest, and what is measured of each way."""

    def __init__(self, lab: Lab, guest: Guest, inside: Userland) -> None:
        self.lab, self.guest, self.inside = lab, guest, inside

    def tcp_sent(self, way: Way) -> float:
        """Give 10⁶ bits a second of TCP from the guest."""
        return networks.iperf(self.inside, way.subnet, seconds=SECONDS).mbps

    def tcp_received(self, way: Way) -> float:
        """Give those to it."""
        return networks.iperf(self.inside, way.subnet, "-R", seconds=SECONDS).mbps

    def small_sent(self, way: Way) -> float:
        """Give the small frames a second from the guest that reach dom0."""
        self.inside.start("pump", "python3", "-c", PUMP, way.subnet.interface, str(SMALL))
        rate = _rate(self.lab.run("sh", "-c", RECEIVED.format(way.netdev)))
        self.inside.end("pump")
        return rate

    def small_received(self, way: Way) -> float:
        """Give those to it."""
        start(self.lab, "pump", "python3", "-c", PUMP, way.netdev, str(SMALL))
        rate = _rate(self.inside.run(RECEIVED.format(way.subnet.interface)))
        end(self.lab, name="pump")
        return rate

    def ours_sent(self) -> float:
        """Give the small frames a second that our frontend in the guest sends to the kernel's backend."""
        self.inside.start("pump", "python3", "-c", FRONT, OURS, str(SMALL))
        rate = _rate(self.lab.run("sh", "-c", RECEIVED.format(f"vif{self.guest.domid}.{OURS}")))
        self.inside.end("pump")
        return rate

    def spent(self, run: Callable[[], float]) -> str:
        """Run a load on ours; tell what a packet of either direction took the backend."""
        before = self._counted()
        run()
        done = {name: number - before[name] for name, number in self._counted().items()}
        packets = done["tx-packets"] + done["rx-packets"]
        size = (done["tx-bytes"] + done["rx-bytes"]) / packets
        each = (f"{done[name] / packets:.2f} {name}" for name in ("syscalls", "grant-copies", "notifications-sent"))
        return f"  ours: {packets} packets of {size:.0f} B on average, of either direction; of each {', '.join(each)}"

    def _counted(self) -> dict[str, int]:
        # Told once a second.
        time.sleep(2.5)
        there = f"/local/domain/0/backend/uvif/{self.guest.domid}/{HANDLE}/statistics"
        names = self.lab.run("xenstore-list", there).split()
        numbers = self.lab.run("xenstore-read", *(f"{there}/{name}" for name in names)).split()
        return {name: int(number) for name, number in zip(names, numbers, strict=True)}


def _rate(said: str) -> float:
    before, began, after, ended = map(float, said.split())
    return (after - before) / (ended - began)


def turns(rounds: int, runs: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Give the median of each, run in turns; the first is to warm up."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            value = run()
            if number:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def tell(what: str, unit: str, found: Mapping[str, float], wanted: Mapping[str, float]) -> None:
    """Print figures, and how ours compares."""
    print(what)
    for name, value in found.items():
        print(f"  {name:<10} {value:10.1f} {unit}")
    for peer, least in wanted.items():
        print(f"  ours / {peer}: {found['ours'] / found[peer]:.2f} (at least {least})", flush=True)


def measure(lab: Lab, rounds: int) -> None:
    """Run all loads on all ways, and print."""
    guest = Guest(lab, GUEST, "pv", 1, ())
    install(lab, "qemu-system-xen", "iperf3", without=("usr/share", "usr/lib/ipxe"))
    with userland(guest) as inside:
        ways = attach(lab, guest)
        networks.listen(lab)
        bench = Bench(lab, guest, inside)
        for what, unit, run, wanted in (
            ("TCP from the guest", "Mbit/s", bench.tcp_sent, TCP_WANTED),
            ("TCP to the guest", "Mbit/s", bench.tcp_received, TCP_WANTED),
            (f"{SMALL + 4} B frames from the guest", "frames/s", bench.small_sent, SMALL_WANTED),
            (f"{SMALL + 4} B frames to the guest", "frames/s", bench.small_received, SMALL_WANTED),
        ):
            tell(what, unit, turns(rounds, {way.name: partial(run, way) for way in ways}), wanted)
            print(bench.spent(partial(run, ways[1])), flush=True)
        start(lab, "kernel", "python3", "-c", networks.KERNEL, str(guest.domid))
        lab.run("ip", "link", "set", f"vif{guest.domid}.{OURS}", "up")
        runs: dict[str, Callable[[], float]] = {
            "netback": partial(bench.small_sent, ways[0]),
            "ours": bench.ours_sent,
        }
        found = turns(rounds, runs)
        tell(f"{SMALL + 4} B frames to netback, by Linux's frontend and by ours", "frames/s", found, FRONT_WANTED)
        end(lab, name="kernel")


def main() -> None:
    """Boot a lab, measure, and end it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{os.cpu_count()} cores, emulated")
    api.up(NAME, xen=XEN)
    try:
        lab = Lab(NAME, XEN)
        measure(lab, rounds)
        lab.close()
    finally:
        api.down(NAME)


if __name__ == "__main__":
    main()
