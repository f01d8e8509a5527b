"""`xentool detect` where Xen is real: in dom0, and on the files that a PV and a PVH guest see.

The guests have no Python: one starts with another init, which writes what `detect` reads as an archive to its disk.
"""

import gzip
import io
import json
import re
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.xen.labs import Lab, one_xen
from tests.xentool.detect.oracle import NAMES, judged
from xentool.detect import detect
from xentool.detect.model import Answer
from xentool.detect.sources import BUSES, FILES, FOLDERS, MARKS, NAMESPACES
from xentool.errors import XentoolError
from xentool.hosts import resolve
from xentool.lab import api, cpio
from xentool.lab.guests import EMULATED_TRIES
from xentool.lab.places import DATA_IN_DOM0
from xentool.lab.xl_guest import configuration
from xentool.tools.domains import lifecycle

pytestmark = pytest.mark.lab

#: What the disk holds in the end, at 3 MiB.
GATHERED = "gathered"
VERSION = ("sh", "-c", "xl info xen_version")
#: Files of sysfs do not say how long they are: each is read to its end.
GATHER = f"""\
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
while [ ! -b /dev/xvda ]; do usleep 100000; done
copy() {{ [ -f "$1" ] && mkdir -p "/tree${{1%/*}}" && cat "$1" >"/tree$1"; }}
for path in {" ".join(FILES)}; do copy "$path"; done
for path in {" ".join(FOLDERS)}; do
    [ -d "$path" ] && mkdir -p "/tree$path"
    for name in $(ls "$path" 2>/dev/null); do [ -e "/tree$path/$name" ] || >"/tree$path/$name"; done
done
for path in {" ".join(MARKS)}; do [ -e "$path" ] && mkdir -p "/tree$path"; done
for bus in {" ".join(BUSES)}; do
    for path in /sys/bus/$bus/devices/*; do copy "$path/uevent"; done
done
mkdir -p /tree/proc/self/ns
for kind in {" ".join(NAMESPACES)}; do ln -s "$(readlink /proc/self/ns/$kind)" /tree/proc/self/ns/$kind; done
tar -c -C /tree . >/dev/xvda
sync
# Behind all that, so that what a dying guest has left can be told from the whole.
echo {GATHERED} | dd of=/dev/xvda bs=1M seek=3 conv=fsync 2>/dev/null
echo "xentool-guest: ready gathered" >/dev/console
poweroff -f
"""


def tree_of(lab: Lab, kind: str, folder: Path) -> Path:
    """Start a guest, and unpack what it saw."""
    name = f"seen-{kind}"
    disk, initrd = f"/var/lib/xentool/{name}.img", f"/var/lib/xentool/{name}.initrd"
    kernel = lab.run("sh", "-c", ". /etc/default/xentool-lab; echo $KERNEL")
    text = configuration(api.Guest(name, kind, memory_mib=128), "0").replace("@KERNEL@", kernel)
    text = text.replace(f"{DATA_IN_DOM0}/guest-initrd", initrd).replace("xentool.ip=@IP@", "")
    with closing(resolve(lab.host)) as host:
        # The kernel unpacks one archive after the other: this init replaces the first's.
        init = gzip.compress(cpio.pack([cpio.file("init", GATHER.encode(), 0o755)]))
        (folder / "init").write_bytes(host.run(["cat", f"{DATA_IN_DOM0}/guest-initrd"]).stdout + init)
        host.put(folder / "init", initrd)
        try:
            for left in reversed(range(EMULATED_TRIES)):
                host.run(["sh", "-c", 'rm -f "$1"; truncate -s 4M "$1"', "sh", disk])
                try:
                    domain = lifecycle.create(host, text.encode(), name)
                except XentoolError:
                    # One that dies at once may be gone before it can be listed.
                    if not left:
                        raise
                    continue
                lifecycle.wait_for_end(host, domain, 240)
                written = host.run(["cat", disk]).stdout
                if written[3 << 20 :].startswith(GATHERED.encode()):
                    break
            else:
                pytest.fail(f"{name} died each time")
            with tarfile.open(fileobj=io.BytesIO(written)) as archive:
                archive.extractall(folder / "tree", filter="data")
        finally:
            host.run(["rm", "-f", disk, initrd])
    return folder / "tree"


def says(found: Answer) -> list[tuple[str, str, str | None, str | None]]:
    return [(layer.name, layer.kind, layer.mode, layer.role) for layer in found.layers]


def used(found: Answer) -> dict[str, str]:
    return {f"{technique.area} {technique.name}": technique.used.state for technique in found.techniques}


@one_xen
@pytest.mark.parametrize(("kind", "mode"), [("pv", "PV"), ("pvh", "PVH")])
def test_a_guest(lab: Lab, kind: str, mode: str, tmp_path: Path) -> None:
    tree = tree_of(lab, kind, tmp_path)
    found = detect(tree)
    assert ("Xen", "type-1", mode, "domU") in says(found)
    assert next(layer.version for layer in found.layers if layer.name == "Xen") == lab.run(*VERSION)
    assert judged(tree) == ("xen", "none")
    ways = used(found)
    assert ways["cpu paravirtual"] == "yes"  # a PVH guest makes hypercalls too, and shares Xen's clock
    assert ways["cpu hardware-assisted"] != ("yes" if kind == "pv" else "no")
    assert ways["memory direct paging"] == ("yes" if kind == "pv" else "no")
    assert ways["io paravirtual"] == "yes"
    assert not found.contradictions


def test_dom0(lab: Lab) -> None:
    document = json.loads(lab.run("xentool", "detect", "--json"))
    layers = {layer["name"]: layer for layer in document["layers"]}
    xen = layers["Xen"]
    assert (xen["mode"], xen["role"], xen["version"]) == ("PV", "dom0", lab.run(*VERSION))
    assert next(iter(layers)).startswith("QEMU")  # the lab's machine is around Xen
    assert not document["contradictions"]
    assert lab.run("xentool", "detect").startswith("PV dom0 of Xen 4.")
    # systemd leaves Xen out in dom0, and names what is around it.
    assert NAMES[systemd_detect_virt(lab)] & layers.keys()


def systemd_detect_virt(lab: Lab) -> str:
    """Run this machine's program in dom0, which has none: with its libraries and their loader."""
    program = "/usr/bin/systemd-detect-virt"
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"/\S+", linked)
    packed = subprocess.run(["tar", "-chP", program, *libraries], capture_output=True, check=True).stdout
    loader = next(path for path in libraries if "/ld-linux" in path)
    folder = "/tmp/systemd-detect-virt"
    search = ":".join(sorted({f"{folder}{Path(path).parent}" for path in libraries}))
    with closing(resolve(lab.host)) as host:
        host.run(["sh", "-c", 'mkdir -p "$1" && tar -x -C "$1"', "sh", folder], input=packed)
    try:
        return lab.run(f"{folder}{loader}", "--library-path", search, f"{folder}{program}", "--vm", check=False)
    finally:
        lab.run("rm", "-r", folder)
