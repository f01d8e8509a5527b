"""Network drivers on real Xen: Linux's frontend on our backend, with a TAP on a bridge behind it."""

from functools import partial

import pytest

from tests.xen.blocks import Guest, end, start
from tests.xen.labs import Lab, eventually, usually
from tests.xen.undisturbed import node, undisturbed

pytestmark = pytest.mark.lab

BRIDGE = "xentool-net"
DOM0, GUEST = "10.78.0.1", "10.78.0.2"
DOM0_V6, GUEST_V6 = "fd78::1", "fd78::2"
MTU = 9000

#: dom0's end of the network; what is sent is random, so that no wrong byte goes unseen.
NETWORK = f"""
ip link add {BRIDGE} type bridge forward_delay 0
ip address add {DOM0}/24 dev {BRIDGE}
ip address add {DOM0_V6}/64 dev {BRIDGE} nodad
ip link set {BRIDGE} up
head -c 8M /dev/urandom >/tmp/net.sent
sha256sum </tmp/net.sent
"""
NO_NETWORK = f"ip link delete {BRIDGE}; rm -f /tmp/net.*"
#: In dom0: gives a file to whoever comes, and the next one's bytes to another file.
EXCHANGE = """
import socket, sys
address = sys.argv[1]
with socket.create_server((address, 5000)) as server:
    print("xentool: serving", file=sys.stderr, flush=True)
    with server.accept()[0] as taker:
        taker.sendall(open("/tmp/net.sent", "rb").read())
    with server.accept()[0] as giver, open("/tmp/net.back", "wb") as file:
        while some := giver.recv(1 << 20):
            file.write(some)
"""
UP = f"""
tries=600
until [ -e /sys/class/net/eth1 ] || [ $tries = 0 ]; do tries=$((tries - 1)); usleep 100000; done
ip link set eth1 mtu {MTU}
echo 0 >/proc/sys/net/ipv6/conf/eth1/accept_dad
ip address add {GUEST}/24 dev eth1
ip address add {GUEST_V6}/64 dev eth1
ip link set eth1 up
"""
#: Small, as long as a usual frame, longer than a page, and by IPv6.
PINGS = f"""
for words in "-s 56 {DOM0}" "-s 1472 {DOM0}" "-s 8000 {DOM0}" "-s 1000 {DOM0_V6}"; do
    ping -q -c 3 -i 0.2 -W 20 $words | grep -o "[0-9]* packets received" || echo "$words: lost"
done
"""
#: In segments of a usual MTU, so that what is longer is to be cut.
TAKE = f"ip link set eth1 mtu 1500; nc {DOM0} 5000 </dev/null >/taken; sha256sum </taken"
GIVE = f"nc {DOM0} 5000 </taken; ip link set eth1 mtu {MTU}; echo given"
#: For as long as there is no /stop, what is sent and what comes back; every ping has other bytes.
LOAD = f"""
rm -f /stop
(
    while [ ! -e /stop ]; do ping -q -c 20 -i 0.02 -s 3000 -W 1 {DOM0} && echo >>/answered; done >/dev/null
    touch /stopped
) >/dev/null 2>&1 </dev/null &
"""
ANSWERED = """
before=$(wc -l </answered); tries=600
until [ $(wc -l </answered) -gt $((before + 1)) ] || [ $tries = 0 ]; do tries=$((tries - 1)); usleep 100000; done
[ $tries = 0 ] || echo on
"""
UNLOAD = "touch /stop; while [ ! -e /stopped ]; do usleep 100000; done; rm -f /stop /stopped /answered; echo off"
ERRORS = "cd /sys/class/net/eth1/statistics; cat rx_errors tx_errors rx_dropped rx_crc_errors rx_frame_errors"
COMPLAINTS = "dmesg | grep -E 'xen_netfront|xennet|eth1' | grep -iE 'bad|invalid|illegal|backwards|disabled|warn'"
GONE = """
tries=600
while [ -e /sys/class/net/eth1 ] && [ $tries != 0 ]; do tries=$((tries - 1)); usleep 100000; done
ls /sys/class/net
"""
KINDS = {"pv": 1, "pvh": 2}


def serve(lab: Lab, guest: Guest) -> str:
    vif = f"domain={guest.name},port=tap:{guest.name},bridge={BRIDGE},mtu={MTU},handle=1,queues=2"
    return start(lab, "serve", "xentool", "net", "serve", "--json", "--vif", vif)


@usually("4.17 pvh", "4.20 pv")
@pytest.mark.parametrize("kind", KINDS)
def test_linux_on_our_backend(lab: Lab, kind: str) -> None:
    name = f"net{kind}"
    lab.outlived(name, partial(_on_our_backend, lab, name, kind), partial(_away, lab, name))


def _away(lab: Lab, name: str) -> None:
    end(lab, check=False)
    end(lab, "KILL", name="exchange", check=False)
    lab.run("sh", "-c", NO_NETWORK, check=False)
    lab.away(name)


def _on_our_backend(lab: Lab, name: str, kind: str) -> None:
    guest = Guest(lab, name, kind, KINDS[kind], ("feature_persistent=0",))
    sent = lab.run("sh", "-c", NETWORK)
    with undisturbed(lab, guest.domid):
        assert f"serving vif1 of domain {guest.domid}" in serve(lab, guest)
        guest.run(UP)
        assert guest.run(PINGS).splitlines() == ["3 packets received"] * 4
        _takes_and_gives(lab, guest, sent)
        _survives(lab, guest)
        assert guest.run(ERRORS).split() == ["0"] * 5
        assert guest.run(COMPLAINTS) == ""
        (row,) = end(lab)
        assert (row["device"], row["tx_errors"], row["rx_errors"]) == ("vif1", 0, 0)
        assert guest.run(GONE).split() == ["eth0", "lo"]
        assert BRIDGE in lab.run("ip", "-br", "link")
        assert f" {name} " not in lab.run("ip", "-br", "link")


def _takes_and_gives(lab: Lab, guest: Guest, sent: str) -> None:
    front, back = (f"/local/domain/{guest.domid}/device/vif/1", f"/local/domain/0/backend/uvif/{guest.domid}/1")
    assert node(lab, f"{front}/multi-queue-num-queues") == str(KINDS[guest.name[3:]])
    start(lab, "exchange", "python3", "-c", EXCHANGE, DOM0)
    assert guest.run(TAKE) == sent
    assert guest.run(GIVE) == "given"
    assert eventually(lambda: lab.run("sh", "-c", "sha256sum </tmp/net.back") == sent)
    # Frames came whole that are longer than any wire takes.
    assert eventually(lambda: int(node(lab, f"{back}/statistics/rx-bytes")) > 8 << 20)
    packets = int(node(lab, f"{back}/statistics/rx-packets"))
    assert int(node(lab, f"{back}/statistics/rx-bytes")) / packets > 2000


def _survives(lab: Lab, guest: Guest) -> None:
    # Killed under load, then another one, which goes on with the rings.
    guest.run(LOAD)
    for _ in range(3):
        assert guest.run(ANSWERED) == "on"
        end(lab, "KILL")
        serve(lab, guest)
    assert guest.run(ANSWERED) == "on"
    assert guest.run(UNLOAD) == "off"
    assert node(lab, f"/local/domain/{guest.domid}/device/vif/1/state") == "4"
