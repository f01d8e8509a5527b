"""Two hosts for a measurement, each a network namespace, and what joins them; for root."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from pvdrivers.net.ports.namespaces import inside
from tests.bench.joined import JOINED
from tests.bench.sockets import flood
from tests.bench.started import started

#: Of a datagram in a frame of 64 bytes, behind Ethernet's, IP's and UDP's headers; and where it goes (RFC 863).
PAYLOAD, DISCARD = 22, 9
#: Seconds for which datagrams go before they are counted: addresses are to be found.
WARM = 0.2
NEAR, FAR, GATEWAY = "10.9.0.1", "10.9.0.2", "10.9.0.254"


@dataclass(frozen=True)
class Host:
    """A host.

    :param namespace: the path of its network namespace
    :param prefix: what runs the command that follows there
    """

    namespace: str
    prefix: tuple[str, ...]

    def command(self, *words: str) -> list[str]:
        """Give what runs a command there."""
        return [*self.prefix, *words]

    def run(self, *words: str) -> str:
        """Run a command there, which must succeed; give what it prints."""
        return subprocess.run(self.command(*words), check=True, capture_output=True, text=True).stdout


class Joined(NamedTuple):
    """Two hosts, and the address by which the near one reaches the far one."""

    near: Host
    far: Host
    address: str


@contextmanager
def host() -> Iterator[Host]:
    """Make a host whose one device is its loopback."""
    alive = "ip link set lo up && echo alive && exec sleep inf"
    with started(["unshare", "--net", "sh", "-c", alive], "alive") as process:
        namespace = f"/proc/{process.pid}/ns/net"
        yield Host(namespace, ("nsenter", f"--net={namespace}"))


def addressed(near: Host, near_device: str, far: Host, far_device: str) -> Joined:
    """Make two hosts neighbours by a device of each."""
    for one, device, address in ((near, near_device, NEAR), (far, far_device, FAR)):
        one.run("ip", "link", "set", device, "up")
        one.run("ip", "address", "add", f"{address}/24", "dev", device)
    return Joined(near, far, FAR)


@contextmanager
def by_veth() -> Iterator[Joined]:
    """Join two hosts by a cable of the kernel's."""
    with host() as near, host() as far:
        # The cable's far end goes there by the file of the namespace.
        near.run("ip", "link", "add", "left", "type", "veth", "peer", "name", "right")
        near.run("ip", "link", "set", "right", "netns", far.namespace.split("/")[2])
        yield addressed(near, "left", far, "right")


@contextmanager
def by_pair() -> Iterator[Joined]:
    """Join two hosts by a vif of ours: a TAP of each, at either end of the pair of drivers, in two processes."""
    with ExitStack() as stack:
        near, far = stack.enter_context(host()), stack.enter_context(host())
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="xentool-bench-"))
        vif = f"port=tap:right,netns={far.namespace}"
        serve = [sys.executable, "-m", "xentool", "net", "serve", "--loopback", directory, "--vif", vif]
        stack.enter_context(started(serve, "serving"))
        joined = [sys.executable, "-m", "tests.bench.joined", directory, f"tap:left,netns={near.namespace}"]
        stack.enter_context(started(joined, JOINED))
        yield addressed(near, "left", far, "right")


@contextmanager
def by_pasta() -> Iterator[Joined]:
    """Join two hosts by pasta, which ends the near one's connections and makes others of its own in the far one."""
    with host() as far:
        # It takes the addresses of an interface that has a gateway, which stands for its host.
        far.run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "cable")
        far.run("ip", "address", "add", f"{FAR}/24", "dev", "outside")
        for end in ("outside", "cable"):
            far.run("ip", "link", "set", end, "up")
        far.run("ip", "route", "add", "default", "via", GATEWAY)
        inside = Host("", (*far.prefix, "pasta", "--quiet", "--runas", "0", "--config-net", "--"))
        yield Joined(inside, far, GATEWAY)


WAYS: dict[str, Callable[[], AbstractContextManager[Joined]]] = {
    "the pair between two TAPs": by_pair,
    "veth": by_veth,
    "pasta": by_pasta,
}


def connection(joined: Joined, seconds: float) -> float:
    """Give the Gbit/s that the far host receives by a TCP connection of iperf3."""
    with started(joined.far.command("iperf3", "--server", "--one-off", "--forceflush"), "listening"):
        client = ("iperf3", "--client", joined.address, "--time", str(max(1, round(seconds))), "--json")
        found = json.loads(joined.near.run(*client))
    return float(found["end"]["sum_received"]["bits_per_second"]) / 1e9


def datagrams(joined: Joined, seconds: float) -> float:
    """Give the frames of 64 bytes a second that the far host receives, where the near one sends what it can."""

    def receiver() -> socket.socket:
        # That nobody reads from it costs no answer.
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((joined.address, DISCARD))
        return bound

    def sender() -> socket.socket:
        connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        connected.connect((joined.address, DISCARD))
        return connected

    with inside(joined.far.namespace, receiver), inside(joined.near.namespace, sender) as end:
        flood(end, WARM, PAYLOAD)
        before, began = frames(joined.far), time.perf_counter()
        flood(end, seconds, PAYLOAD)
        return (frames(joined.far) - before) / (time.perf_counter() - began)


def frames(host: Host) -> int:
    """Tell how many frames a host has received by its device."""
    ((_, counts),) = (line.split(":") for line in host.run("cat", "/proc/net/dev").splitlines() if "right" in line)
    return int(counts.split()[1])
