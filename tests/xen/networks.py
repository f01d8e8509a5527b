"""What tests and benches of network drivers on real Xen use: a bridge in dom0, and traffic between it and a guest.

A guest has the same place in each subnet, and dom0 has its bridge in all of them: what tells one way from another is
through which of the guest's interfaces a subnet is reached.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

from tests.xen.blocks import Guest, end, start
from tests.xen.labs import Lab, eventually
from tests.xen.userland import Userland

BRIDGE = "xentool-net"
#: A VLAN of the bridge.
TAG = 5
MTU = 9000


@dataclass(frozen=True)
class Subnet:
    """A subnet.

    :param interface: the guest's
    """

    number: int
    interface: str

    @property
    def dom0(self) -> str:
        """dom0's address in it."""
        return f"10.78.{self.number}.1"

    @property
    def guest(self) -> str:
        """The guest's."""
        return f"10.78.{self.number}.2"


#: The vif that a test is about, its VLAN, and a vif with a frontend of ours in the guest.
PLAIN, TAGGED, OURS = Subnet(0, "eth1"), Subnet(TAG, f"eth1.{TAG}"), Subnet(9, "ours")
DOM0_V6, GUEST_V6 = "fd78::1", "fd78::2"

_NETWORK = f"""
ip link add {BRIDGE} type bridge forward_delay 0
modprobe 8021q
ip link add link {BRIDGE} name {BRIDGE}.{TAG} type vlan id {TAG}
ip address add {PLAIN.dom0}/24 dev {BRIDGE}
ip address add {OURS.dom0}/24 dev {BRIDGE}
ip address add {DOM0_V6}/64 dev {BRIDGE} nodad
ip address add {TAGGED.dom0}/24 dev {BRIDGE}.{TAG}
ip link set {BRIDGE} up
ip link set {BRIDGE}.{TAG} up
"""
_NO_NETWORK = f"""
kill "$(cat /tmp/iperf.pid)"
ip link delete {BRIDGE}.{TAG}
ip link delete {BRIDGE}
rm -f /tmp/net.* /tmp/iperf.*
"""
#: In the guest: waits for an interface and sets it up.
_UP = """
tries=600
until [ -e /sys/class/net/{0.interface} ] || [ $tries = 0 ]; do tries=$((tries - 1)); usleep 100000; done
ip address add {0.guest}/24 dev {0.interface}
ip link set {0.interface} up
"""
_UP_V6 = """
ip link set {0.interface} mtu {mtu}
echo 0 >/proc/sys/net/ipv6/conf/{0.interface}/accept_dad
ip address add {v6}/64 dev {0.interface}
"""
#: In dom0: gives a file to whoever comes to one port, and what comes by the other to another file.
_EXCHANGE = """
import select, socket, sys
gives, takes = (socket.create_server(("", port)) for port in (5000, 5001))
print("xentool: serving", file=sys.stderr, flush=True)
while True:
    for server in select.select([gives, takes], [], [])[0]:
        with server.accept()[0] as peer:
            if server is gives:
                peer.sendall(open("/tmp/net.sent", "rb").read())
                continue
            with open("/tmp/net.back", "wb") as file:
                while some := peer.recv(1 << 20):
                    file.write(some)
"""
#: In dom0: gives a vif to a program in a guest by the kernel's backend, until it is told to end.
KERNEL = """
import signal, sys
from pvdrivers.transport.xen import Xen
from xentool.tools.net import kernel
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
with Xen() as xen, kernel.served(xen, int(sys.argv[1])) as spot:
    print("xentool: serving", spot.devid, file=sys.stderr, flush=True)
    signal.sigwait([signal.SIGTERM])
"""
#: It listens, on port 5201, once it can be told to go; what was there before is none of ours.
_IPERF = """
iperf3 -s -D -I /tmp/iperf.pid
until grep -q ":1451 " /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done
"""


def begin(lab: Lab) -> None:
    """Make the network, with dom0 in it."""
    lab.run("sh", "-ec", _NETWORK)
    start(lab, "exchange", "python3", "-c", _EXCHANGE)


def finish(lab: Lab) -> None:
    """Take it away, whatever is there of it."""
    end(lab, "KILL", name="exchange", check=False)
    lab.run("sh", "-c", _NO_NETWORK, check=False)


def bring_up(guest: Guest, subnet: Subnet) -> None:
    """Set up a guest's interface, once it is there; the first with IPv6, and long frames."""
    v6 = _UP_V6.format(subnet, mtu=MTU, v6=GUEST_V6) if subnet is PLAIN else ""
    assert guest.run(_UP.format(subnet) + v6) == ""


#: In a guest: takes a file, tells its sum, and gives it back; its own nc would do so by the kilobyte.
_TAKE_AND_GIVE = """
exec bash -e <<'END OF EXCHANGE'
cat </dev/tcp/{0}/5000 >/tmp/taken
sha256sum </tmp/taken
cat </tmp/taken >/dev/tcp/{0}/5001
rm /tmp/taken
END OF EXCHANGE
"""


def exchange(lab: Lab, inside: Userland, subnet: Subnet, mib: int) -> None:
    """Have a guest take a file from dom0 and give it back, and compare the sums of what each has by then."""
    # Random, so that no wrong byte goes unseen.
    sent = lab.run("sh", "-c", f"head -c {mib}M /dev/urandom >/tmp/net.sent; sha256sum </tmp/net.sent")
    assert inside.run(_TAKE_AND_GIVE.format(subnet.dom0)) == sent
    assert eventually(lambda: lab.run("sh", "-c", "sha256sum </tmp/net.back") == sent)


class Load(NamedTuple):
    """What `iperf3` says of a load."""

    sent: int
    #: Of what the receiver says it has.
    bytes: int
    seconds: float

    @property
    def mbps(self) -> float:
        """10⁶ bits each second."""
        return self.bytes * 8 / self.seconds / 1e6


def listen(lab: Lab) -> None:
    """Have `iperf3` listen in dom0."""
    lab.run("sh", "-c", _IPERF)


def iperf(inside: Userland, subnet: Subnet, *words: str, seconds: int = 1) -> Load:
    """Run a load between a guest and dom0: from the guest, or with ``-R`` to it."""
    said = inside.run(f"iperf3 -c {subnet.dom0} -t {seconds} -J {' '.join(words)}")
    ended = json.loads(said)["end"]
    came = ended["sum_received"] if "sum_received" in ended else ended["sum"]
    return Load(ended.get("sum_sent", came)["bytes"], came["bytes"], came["seconds"])
