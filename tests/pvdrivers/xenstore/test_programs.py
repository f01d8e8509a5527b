"""Programs that know nothing of this server: Xen's own tests, its xenstore-* tools, its Python binding, and pyxs.

What the tools print is held against recordings of the lab's oxenstored (``tests/xen/test_xenstore.py`` makes them
anew): the same for ``data/commands.txt``. Where oxenstored and C xenstored differ, C xenstored's way is taken;
``data/differing.txt`` shows it:

- special nodes (``@releaseDomain``) can be watched and have permissions, and are no nodes to be read or written;
- children are listed in the order of their birth, not of their names;
- a value may have 4096 bytes less its path, where oxenstored's quota for a node holds for dom0 too;
- a directory too large for one packet is listed by parts (XS_DIRECTORY_PART, which oxenstored of 4.17 has not).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pvdrivers.xenstore.clients import DATA
from tests.pvdrivers.xenstore.served import served

TEST_XENSTORE = "/usr/lib/xen-4.17/bin/test-xenstore"
XEN_PYTHON = "/usr/lib/xen-4.17/lib/python"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Environment in which programs find a server that has just begun."""
    with served(tmp_path):
        yield {**os.environ, "XENSTORED_PATH": str(tmp_path / "dom0"), "LC_ALL": "C.UTF-8"}


def run(environment: dict[str, str], *argv: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, env=environment, input=input, capture_output=True, check=False, timeout=300)


def test_xens_own_tests(environment: dict[str, str]) -> None:
    done = run(environment, TEST_XENSTORE, "-i", "50")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(b"iterations:") == 12 or done.stdout.count(b"avg:") == 12, done.stdout


def test_two_of_them_at_once_at_random(environment: dict[str, str]) -> None:
    argv = [TEST_XENSTORE, "-r", "3"]
    both = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    for one in both:
        output, _ = one.communicate(timeout=300)
        assert one.returncode == 0, output


@pytest.mark.parametrize("name", ["commands", "differing"])
def test_the_tools_print_what_was_recorded(environment: dict[str, str], name: str) -> None:
    done = run(environment, "sh", str(DATA / "run.sh"), input=(DATA / f"{name}.txt").read_bytes())
    assert done.stdout.decode().split("\n$ ") == (DATA / f"{name}.out").read_text().split("\n$ ")


def test_xens_python_binding(environment: dict[str, str]) -> None:
    script = f"""
import sys
sys.path.insert(0, {XEN_PYTHON!r})
from xen.lowlevel.xs import xs
store = xs()
store.write("0", "/a/b", "value")
print(store.read("0", "/a/b"), store.ls("0", "/a"), store.get_permissions("0", "/a"))
store.watch("/a", "token")
print(store.read_watch())
first, second = store.transaction_start(), xs()
store.read(first, "/a/b")
second.write("0", "/a/b", "meanwhile")
store.write(first, "/a/c", "x")
print(store.transaction_end(first), store.read_watch())
print(store.get_domain_path(7), store.introduce_domain(7, 1, 2), store.release_domain(7))
"""
    done = run(environment, "/usr/bin/python3", "-c", script)
    assert done.stdout.decode().splitlines() == [
        "b'value' ['b'] [{'dom': 0, 'read': 0, 'write': 0}]",
        "('/a', 'token')",
        "False ('/a/b', 'token')",
        "/local/domain/7 None None",
    ], done.stderr.decode()


def test_pyxs(environment: dict[str, str]) -> None:
    script = """
import pyxs
with pyxs.Client() as client:
    client[b"/a/b"] = b"value"
    print(client[b"/a/b"], client.list(b"/a"), client.get_perms(b"/a"), client.exists(b"/none"))
    client.set_perms(b"/a", [b"b0", b"r5"])
    print(client.get_perms(b"/a"), client.get_domain_path(7))
    with client.monitor() as monitor:
        monitor.watch(b"/a", b"token")
        print(next(monitor.wait()))
        client[b"/a/c"] = b"x"
        print(next(monitor.wait()))
    client.transaction()
    client[b"/a/b"] = b"other"
    print(client.commit(), client[b"/a/b"], sorted(client.list(b"/a")))
    client.delete(b"/a")
    print(client.exists(b"/a"))
"""
    done = run(environment, sys.executable, "-c", script)
    assert done.stdout.decode().splitlines() == [
        "b'value' [b'b'] [b'n0'] False",
        "[b'b0', b'r5'] b'/local/domain/7'",
        "Event(path=b'/a', token=b'token')",
        "Event(path=b'/a/c', token=b'token')",
        "True b'other' [b'b', b'c']",
        "False",
    ], done.stderr.decode()
