"""Network drivers on real Xen: Linux's frontend on our backend, ours in a guest on Linux's, and ours on ours.

Behind our backend is a TAP on a bridge. One guest of each type, with as many queues as it has CPUs, does all of it with
``--whole``; without, the two share between them what does not depend on a guest's type.
"""

from functools import partial

import pytest

from tests.xen import networks
from tests.xen.blocks import Guest, end, start
from tests.xen.labs import Lab, eventually, usually
from tests.xen.networks import BRIDGE, DOM0_V6, MTU, OURS, PLAIN, TAG, TAGGED
from tests.xen.packages import install
from tests.xen.undisturbed import left, node, undisturbed
from tests.xen.userland import Userland, userland

pytestmark = pytest.mark.lab

KINDS = {"pv": 1, "pvh": 2}
#: Small, as long as a usual frame, longer than a page, and by IPv6.
PINGS = f"""
for words in "-s 56 {PLAIN.dom0}" "-s 1472 {PLAIN.dom0}" "-s 8000 {PLAIN.dom0}" "-s 1000 {DOM0_V6}"; do
    ping -q -c 3 -i 0.2 -W 20 $words | grep -o "[0-9]* packets received" || echo "$words: lost"
done
"""
PING = f"ping -q -c 3 -i 0.2 -W 20 {PLAIN.dom0} | grep -o '[0-9]* packets received'"
#: In dom0, what is left of a guest that is saved.
SAVED = "/var/tmp/net.saved"
#: For as long as there is no /stop, what is sent and what comes back; every ping has other bytes.
LOAD = f"""
rm -f /stop
(
    while [ ! -e /stop ]; do ping -q -c 20 -i 0.02 -s 3000 -W 1 {PLAIN.dom0} && echo >>/answered; done >/dev/null
    touch /stopped
) >/dev/null 2>&1 </dev/null &
"""
ANSWERED = """
before=$(wc -l </answered); tries=600
until [ $(wc -l </answered) -gt $((before + 1)) ] || [ $tries = 0 ]; do tries=$((tries - 1)); usleep 100000; done
[ $tries = 0 ] || echo on
"""
UNLOAD = "touch /stop; while [ ! -e /stopped ]; do usleep 100000; done; rm -f /stop /stopped /answered; echo off"
#: As an administrator has it, and Windows before it connects: the driver closes the device, and takes it anew.
CYCLE = "cd /sys/bus/xen/drivers/vif; echo vif-1 >unbind; ls /sys/class/net; echo vif-1 >bind"
#: In segments that the kernel cuts, and sums up; and as it is by itself.
PLAINLY, BY_ITSELF = (f"ethtool -K {{}} tx {word} sg {word} gso {word} tso {word}" for word in ("off", "on"))
ERRORS = "cd /sys/class/net/eth1/statistics; cat rx_errors tx_errors rx_dropped rx_crc_errors rx_frame_errors"
SUMMED = ("TcpInCsumErrors", "UdpInCsumErrors", "Udp6InCsumErrors")
SUMS = f"nstat -asz {' '.join(SUMMED)} | awk '/InCsumErrors/ {{print $2}}'; ethtool -S eth1 | sed -n 's/.*_fixup: //p'"
COMPLAINTS = "dmesg | grep -E 'xen_netfront|xennet|eth1' | grep -iE 'bad|invalid|illegal|backwards|disabled|warn'"
GONE = """
tries=600
while [ -e /sys/class/net/eth1 ] && [ $tries != 0 ]; do tries=$((tries - 1)); usleep 100000; done
ls /sys/class/net
"""
#: In a guest: our frontend, which joins a TAP to a vif.
FRONT = """
import signal, sys
from pvdrivers.net.front import frontend
from pvdrivers.net.ports import open_port
from pvdrivers.transport.xen import Xen
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
with Xen() as xen:
    here = f"{xen.store.domain_path(xen.domid)}/device/uvif/{sys.argv[1]}"
    with frontend.joined(xen, here, open_port(f"tap:{sys.argv[2]}")) as end:
        print("xentool: serving", file=sys.stderr, flush=True)
        signal.sigwait([signal.SIGTERM])
        done = end.device.statistics()
        print(done["tx_errors"], done["rx_errors"], done["dropped"])
"""


def serve(lab: Lab, guest: Guest, *, handle: int = 1, front: str = "kernel") -> str:
    words = f"domain={guest.name},port=tap,bridge={BRIDGE},mtu={MTU},handle={handle},queues=2,front={front}"
    return start(lab, "serve", "xentool", "net", "serve", "--json", "--vif", words)


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--whole"))


@usually("4.17 pvh", "4.20 pv")
@pytest.mark.parametrize("kind", KINDS)
def test_linux_on_our_backend(lab: Lab, kind: str, *, whole: bool) -> None:
    name = f"net{kind}"
    lab.outlived(name, partial(_on_our_backend, lab, name, kind, whole=whole), partial(_away, lab, name))


@usually("4.20 pv")
@pytest.mark.parametrize("kind", KINDS)
def test_a_guest_that_is_saved_goes_on(lab: Lab, kind: str) -> None:
    name = f"saved{kind}"
    lab.outlived(name, partial(_is_saved, lab, name, kind), partial(_away, lab, name))


def _is_saved(lab: Lab, name: str, kind: str) -> None:
    guest = Guest(lab, name, kind, KINDS[kind], ("feature_persistent=0",), memory_mib=192)
    networks.begin(lab)
    serve(lab, guest)
    networks.bring_up(guest, PLAIN)
    # It is told that it was not suspended after all, and its rings are as they were.
    lab.run("xl", "save", "-c", name, SAVED)
    assert guest.run(PING) == "3 packets received"
    assert node(lab, f"/local/domain/{guest.domid}/device/vif/1/state") == "4"
    lab.run("xl", "save", name, SAVED)
    assert eventually(lambda: left(lab) == "")
    end(lab)
    # Another domain by then, which looks for its devices as soon as it goes on.
    lab.run("xl", "restore", "-p", SAVED)
    assert int(lab.run("xl", "domid", name)) > guest.domid
    serve(lab, guest)
    lab.run("xl", "unpause", name)
    assert guest.run(PING) == "3 packets received"
    assert guest.run(COMPLAINTS) == ""
    (row,) = end(lab)
    assert (row["device"], row["tx_errors"], row["rx_errors"]) == ("vif1", 0, 0)


def _away(lab: Lab, name: str) -> None:
    for each in ("serve", "kernel"):
        end(lab, name=each, check=False)
    networks.finish(lab)
    lab.away(name)
    lab.run("rm", "-f", SAVED)


def _on_our_backend(lab: Lab, name: str, kind: str, *, whole: bool) -> None:
    install(lab, "iperf3", "ethtool")
    guest = Guest(lab, name, kind, KINDS[kind], ("feature_persistent=0",))
    networks.begin(lab)
    with undisturbed(lab, guest.domid), userland(guest) as inside:
        assert f"serving vif1 of domain {guest.domid}" in serve(lab, guest)
        networks.bring_up(guest, PLAIN)
        assert node(lab, f"/local/domain/{guest.domid}/device/vif/1/multi-queue-num-queues") == str(KINDS[kind])
        assert guest.run(PINGS).splitlines() == ["3 packets received"] * 4
        _carries(lab, guest, inside, mib=100 if whole else 4, cut=whole or kind == "pvh")
        if whole or kind == "pvh":
            _tagged(lab, guest, inside)
        guest.run(f"ip link set eth1 mtu {MTU}")
        _survives(lab, guest, 10 if whole else 1)
        _is_plugged_out_and_in(lab, guest)
        assert guest.run(ERRORS).split() == ["0"] * 5
        # Of TCP and UDP by both versions of IP, and frames whose checksum netfront had to make ready.
        assert inside.run(SUMS).split() == ["0"] * (len(SUMMED) + 1)
        assert guest.run(COMPLAINTS) == ""
        (row,) = end(lab)
        assert (row["device"], row["tx_errors"], row["rx_errors"]) == ("vif1", 0, 0)
        assert guest.run(GONE).split() == ["eth0", "lo"]
        assert BRIDGE in lab.run("ip", "-br", "link")
        assert f" vif{guest.domid}.1 " not in lab.run("ip", "-br", "link")
        if whole or kind == "pv":
            _ours_in_the_guest(lab, guest, inside)


def _counted(lab: Lab, tap: str) -> dict[str, int]:
    # By the TAP, at once; what goes out by it comes to the guest.
    names = {"tx-packets": "rx_packets", "tx-bytes": "rx_bytes", "rx-packets": "tx_packets", "rx-bytes": "tx_bytes"}
    numbers = lab.run("cat", *(f"/sys/class/net/{tap}/statistics/{name}" for name in names.values())).split()
    return {name: int(number) for name, number in zip(names, numbers, strict=True)}


def _carries(lab: Lab, guest: Guest, inside: Userland, mib: int, *, cut: bool) -> None:
    # In segments of a usual MTU, so that what is longer is to be cut.
    guest.run("ip link set eth1 mtu 1500")
    networks.listen(lab)
    tap = f"vif{guest.domid}.1"
    ways = {BY_ITSELF: False} | ({PLAINLY: True} if cut else {})
    for how, is_cut in ways.items():
        inside.run(how.format("eth1"))
        lab.run("sh", "-c", how.format(tap))
        for words, direction in (((), "tx"), (("-R",), "rx")):
            _carries_tcp(lab, tap, inside, words, direction, is_cut=is_cut)
    for words in ((), ("-R",)):
        # As much as is sure to be taken: what is not is dropped, as on any wire.
        udp = networks.iperf(inside, PLAIN, "-u", "-b", "2M", *words)
        assert udp.bytes > 0
    inside.run(BY_ITSELF.format("eth1"))
    lab.run("sh", "-c", BY_ITSELF.format(tap))
    networks.exchange(lab, inside, PLAIN, mib)
    for name, number in _counted(lab, tap).items():
        there = f"/local/domain/0/backend/uvif/{guest.domid}/1/statistics/{name}"
        assert eventually(partial(_is_told, lab, there, number))


def _is_told(lab: Lab, path: str, number: int) -> bool:
    # Once a second at most.
    return int(node(lab, path)) >= number


def _carries_tcp(lab: Lab, tap: str, inside: Userland, words: tuple[str, ...], direction: str, *, is_cut: bool) -> None:
    before = _counted(lab, tap)
    came = networks.iperf(inside, PLAIN, *words).bytes
    after = _counted(lab, tap)
    packets, size = (after[name] - before[name] for name in (f"{direction}-packets", f"{direction}-bytes"))
    assert size > came > 0
    # What a wire takes, or more than that.
    assert (size / packets <= 1514) == is_cut


def _tagged(lab: Lab, guest: Guest, inside: Userland) -> None:
    assert inside.run(f"modprobe 8021q && ip link add link eth1 name {TAGGED.interface} type vlan id {TAG}") == ""
    networks.bring_up(guest, TAGGED)
    networks.exchange(lab, inside, TAGGED, 1)


def _survives(lab: Lab, guest: Guest, times: int) -> None:
    # Killed under load, then another one, which goes on with the rings.
    guest.run(LOAD)
    for _ in range(times):
        assert guest.run(ANSWERED) == "on"
        end(lab, "KILL")
        serve(lab, guest)
    assert guest.run(ANSWERED) == "on"
    # Its port is deleted, and is made anew; what was said of that is gone then.
    lab.run("ip", "link", "delete", f"vif{guest.domid}.1")
    assert guest.run(ANSWERED) == "on"
    assert eventually(lambda: node(lab, f"/local/domain/0/error/backend/uvif/{guest.domid}/1/error") == "")
    assert node(lab, f"/local/domain/{guest.domid}/device/vif/1/state") == "4"


def _is_plugged_out_and_in(lab: Lab, guest: Guest) -> None:
    # Still under load.
    assert guest.run(CYCLE).split() == ["eth0", "lo"]
    networks.bring_up(guest, PLAIN)
    assert guest.run(ANSWERED) == "on"
    assert lab.run("xentool", "device", "detach", guest.name, "net", "vif1") == f"vif1 of {guest.name} is gone"
    assert guest.run(GONE).split() == ["eth0", "lo"]
    end(lab)
    serve(lab, guest)
    networks.bring_up(guest, PLAIN)
    assert guest.run(ANSWERED) == "on"
    assert guest.run(UNLOAD) == "off"


def _ours_in_the_guest(lab: Lab, guest: Guest, inside: Userland) -> None:
    devid = start(lab, "kernel", "python3", "-c", networks.KERNEL, str(guest.domid)).split()[-1]
    _front(lab, guest, inside, devid, f"ip link set vif{guest.domid}.{devid} master {BRIDGE} up")
    end(lab, name="kernel")
    serve(lab, guest, handle=7, front="user")
    _front(lab, guest, inside, "7", "true")
    (row,) = end(lab)
    assert (row["device"], row["tx_errors"], row["rx_errors"]) == ("uvif7", 0, 0)


def _front(lab: Lab, guest: Guest, inside: Userland, devid: str, join: str) -> None:
    # It joins a TAP in the guest to the vif, and so the guest's stack to dom0's.
    assert inside.start("front", "python3", "-c", FRONT, devid, OURS.interface) == "xentool: serving"
    lab.run("sh", "-c", join)
    networks.bring_up(guest, OURS)
    networks.exchange(lab, inside, OURS, 1)
    assert inside.end("front") == "0 0 0"
