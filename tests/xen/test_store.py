"""XenStore's tools on real Xen: over ssh to dom0's own store."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from tests.xen.labs import HUNG, Lab, one_xen
from tests.xentool.cli.running import run
from tests.xentool.cli.store.watched import watching
from xentool.errors import Unavailable
from xentool.hosts import labs, resolve
from xentool.hosts.ssh import SshHost
from xentool.tools import store
from xentool.tools.store.nodes import tree

pytestmark = pytest.mark.lab


def test_a_guests_devices_with_both_ends(lab: Lab) -> None:
    domid = lab.guest("quiet", "pv", vcpus=2, workload="idle")
    home = f"/local/domain/{domid}"
    done = run("store", "read", "-H", lab.host, f"{home}/name")
    assert (done.returncode, done.stdout, done.stderr) == (0, "quiet", "")
    # In dom0 itself, with Debian's pyxs, over the socket and over Linux's device.
    assert lab.run("xentool", "store", "read", f"{home}/name") == "quiet"
    assert lab.run("env", "XENSTORED_PATH=/dev/xen/xenbus", "xentool", "store", "read", f"{home}/name") == "quiet"
    words = ("--until", f"{home}/name=quiet", "--timeout", str(HUNG))
    assert lab.run("env", "XENSTORED_PATH=/dev/xen/xenbus", "xentool", "store", "watch", *words) == ""
    front = run("store", "tree", "-H", lab.host, f"{home}/device").stdout
    assert re.search(rf'─ 51712  \(n{domid},r0\)\n(.*\n)*.*─ state = "4" Connected  \(n{domid},r0\)\n', front)
    back = run("store", "tree", "-H", lab.host, f"/local/domain/0/backend/vif/{domid}").stdout
    assert re.search(rf'─ frontend = "{home}/device/vif/0"  \(n0,r{domid}\)\n', back)
    assert re.search(rf'─ state = "4" Connected  \(n0,r{domid}\)\n', back)


def test_the_whole_store_as_xenstore_ls_shows_it(lab: Lab) -> None:
    lab.guest("quiet", "pv", vcpus=2, workload="idle")
    for _ in range(10):
        before = lab.run("xenstore-ls", "-f", "-p")
        done = run("store", "ls", "-f", "-p", "-H", lab.host)
        # Nobody has written meanwhile.
        if lab.run("xenstore-ls", "-f", "-p") == before:
            break
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == before
    assert len(done.stdout.splitlines()) > 200


@one_xen
def test_values_cross_to_the_byte_and_edits_are_rehearsed(lab: Lab, tmp_path: Path) -> None:
    values = {"/xt/binary": bytes(range(256)), "/xt/large": b"x" * 2000}
    with closing(resolve(lab.host)) as host, store.connect(host) as client:
        try:
            for path, value in values.items():
                client.write(path, value)
            assert {node.path: node.value for node in tree(client, "/xt")} == {"/xt": b"", **values}
            file = tmp_path / "before"
            assert run("store", "snapshot", "-H", lab.host, str(file), "/xt").returncode == 0
            assert json.loads(file.read_bytes())["consistent"] is True
            done = run("store", "rm", "--dry-run", "--tidy", "-H", lab.host, *values)
            assert [line[:12] for line in done.stdout.splitlines()] == ['- /xt = ""', "- /xt/binary", "- /xt/large "]
            assert run("store", "diff", "-H", lab.host, str(file)).stdout == ""
            assert run("store", "write", "-H", lab.host, "/xt/large", "short", "/xt/n", "1").returncode == 0
            assert run("store", "diff", "-H", lab.host, str(file)).stdout == (
                f'~ /xt/large = "{"x" * 2000}" -> "short"\n+ /xt/n = "1"  (n0)\n'
            )
        finally:
            client.remove("/xt")


@one_xen
def test_a_watch_sees_a_guest_come_and_connect(lab: Lab) -> None:
    words = ("-H", lab.host, "--json", "--until-exists", "/xt/end", "--timeout", "300", "/local/domain", "/xt")
    with closing(resolve(lab.host)) as host, store.connect(host) as client:
        try:
            with watching(client, client.path, *words, first="/xt/first") as watch:
                domid = lab.guest("seen", "pv", workload="idle")
                state = f"/local/domain/{domid}/device/vif/0/state"
                backend = f"/local/domain/0/backend/vif/{domid}/0/state"
                # The one says so before the other does.
                for each in (state, backend):
                    until = ("--until", f"{each}=4", "--timeout", str(HUNG))
                    assert run("store", "watch", "-H", lab.host, *until).returncode == 0
                client.mkdir("/xt/end")
                changes = [json.loads(line) for line in watch.upto("/xt/end")]
                assert watch.ended() == (0, "")
        finally:
            client.remove("/xt")
    lab.stop("seen")
    names = [each for each in changes if each["path"] == f"/local/domain/{domid}/name"]
    assert names[-1]["new"]["value"] == "seen"
    states = [each["new"]["value"] for each in changes if each["path"] == state and each["change"] != "fired"]
    # The guest's netfront goes by itself; not every step need be seen.
    assert (states[0], states[-1]) == ("1", "4")
    assert [each["new"]["value"] for each in changes if each["path"] == backend][-1] == "4"


@one_xen
def test_an_sshd_that_forwards_no_sockets_is_said_in_a_line(lab: Lab) -> None:
    lab.run("/usr/sbin/sshd", "-o", "AllowStreamLocalForwarding=no", "-o", "PidFile=/run/xt-sshd.pid", "-p", "2299")
    # It listens after it has gone to the background, and writes that file after that.
    lab.run("sh", "-c", "until [ -s /run/xt-sshd.pid ]; do sleep 0.1; done")
    try:
        options = labs.ssh_options(labs.running()[lab.name])
        through = " ".join(("ssh", *options, "-W", "127.0.0.1:2299", "root@127.0.0.1"))
        first = (
            "-o",
            f"ProxyCommand={through}",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        )
        with closing(SshHost("root@127.0.0.1", options=(*first, *options))) as host:
            assert host.run(["echo", "in"]).stdout == b"in\n"
            with pytest.raises(Unavailable, match=r"forwards no sockets \(AllowStreamLocalForwarding") as caught:
                store.connect(host)
            assert "\n" not in str(caught.value)
    finally:
        lab.run("sh", "-c", "kill $(cat /run/xt-sshd.pid)")
