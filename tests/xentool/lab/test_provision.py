"""The script that makes Vagrant's Debian a dom0, run whole in a root folder of its own on stand-ins for what it calls.

That Xen boots of it only a machine can show; what it leaves behind for GRUB, ssh and guests is seen here.
"""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "xentool/lab/data"
#: Debian's own file, which the package beside the hypervisor may bring or not.
XEN_CFG = 'echo "Including Xen overrides from /etc/default/grub.d/xen.cfg"\n'
STAND_INS = {
    "apt-get": 'echo "$@" >>/calls',
    "systemctl": 'echo "systemctl $@" >>/calls',
    "update-grub": "echo update-grub >>/calls",
    "busybox": "",
    # Of what is asked for, one is there.
    "dpkg-query": '[ "$3" != busybox-static ] || printf installed',
    "nproc": "echo 4",
    # As kmod prints it, with the module that both need.
    "modprobe": 'for module in xenbus "$4"; do echo "insmod /lib-modules/$module.ko "; done',
}
#: Enters a root folder whose programs and libraries are this machine's, and whose other folders are its own.
ENTER = """
mount --rbind / "$1/host"
exec chroot "$1" /host/usr/bin/env PATH=/stand-ins:/usr/bin:/bin sh /tmp/xentool-data/provision.sh \
    "xen-utils-4.17 busybox-static" "xen-blkback xen-netback" 4.17
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in (
        *("host", "usr/lib", "etc/xen/scripts", "etc/modules-load.d", "etc/systemd/system", "etc/default/grub.d"),
        *("home/vagrant/.ssh", "root", "boot", "var/lib", "var/log", "tmp", "dev", "proc", "stand-ins", "lib-modules"),
    ):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib64"):
        (tmp_path / "usr" / name).symlink_to(f"/host/usr/{name}")
    for path in Path("/usr/lib").iterdir():
        (tmp_path / "usr/lib" / path.name).symlink_to(f"/host{path}")
    for name in ("bin", "sbin", "lib", "lib64"):
        (tmp_path / name).symlink_to(f"usr/{name}")
    for name in ("null", "zero"):
        (tmp_path / "dev" / name).symlink_to(f"/host/dev/{name}")
    shutil.copytree(DATA, tmp_path / "tmp/xentool-data")
    for name, script in STAND_INS.items():
        program = tmp_path / "stand-ins" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    for name in ("xenbus", "xen-blkfront", "xen-netfront"):
        (tmp_path / "lib-modules" / f"{name}.ko").write_text(f"module {name}")
    for release in ("6.1.0-9-amd64", "6.1.0-44-amd64"):
        (tmp_path / "boot" / f"vmlinuz-{release}").touch()
    (tmp_path / "home/vagrant/.ssh/authorized_keys").write_text("ssh-ed25519 AAAA vagrant\n")
    (tmp_path / "etc/default/xen").write_text("#XENCONSOLED_TRACE=[none|guest|hv|all]\n")
    (tmp_path / "etc/xen/xl.conf").write_text('#autoballoon="auto"\n')
    (tmp_path / "proc/cpuinfo").write_text("model name\t: Intel(R) Xeon(R) Processor @ 2.90GHz\n")
    (tmp_path / "etc/default/grub.d/xen.cfg").write_text(XEN_CFG)
    return tmp_path


def provision(root: Path) -> None:
    unshare = ["unshare", "--mount", "--propagation", "private", *(["--map-root-user"] if os.geteuid() else [])]
    done = subprocess.run([*unshare, "sh", "-euc", ENTER, "sh", str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_leaves_boots_xen_lets_root_in_and_has_what_guests_start_from(root: Path) -> None:
    provision(root)
    provision(root)  # as `vagrant provision` does: once more on what it made

    grub = 'GRUB_DISTRIBUTOR=Debian; GRUB_DEFAULT=0; for file in etc/default/grub.d/*.cfg; do . "./$file"; done'
    said = subprocess.run(
        ["sh", "-euc", f'{grub}; echo "$GRUB_DEFAULT|$GRUB_CMDLINE_XEN_DEFAULT"'],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    # The title that grub's 20_linux_xen gives the entry, for whichever Xen and kernel are newest.
    assert said.stdout.splitlines()[-1] == "Debian GNU/Linux, with Xen hypervisor|dom0_mem=1228M,max:1228M"

    keys = root / "root/.ssh/authorized_keys"
    assert keys.read_text() == "ssh-ed25519 AAAA vagrant\n"
    assert [oct(path.stat().st_mode & 0o777) for path in (keys.parent, keys)] == ["0o700", "0o600"]

    settings = (root / "etc/default/xentool-lab").read_text()
    assert settings == "XEN_BIN=/usr/lib/xen-4.17/bin\nKERNEL=/boot/vmlinuz-6.1.0-44-amd64\n"
    assert (root / "etc/default/xen").read_text().count("XENCONSOLED_ARGS=") == 1
    assert (root / "etc/modules-load.d/xentool.conf").read_text() == "xen-blkback\nxen-netback\n"
    for program in ("guest-start.sh", "guest-stop.sh", "bridge.sh"):
        assert os.access(root / "usr/lib/xentool-lab" / program, os.X_OK)
    assert (root / "calls").read_text().splitlines() == 2 * [
        "update -q",
        "install -q -y --no-install-recommends xen-utils-4.17",
        "systemctl enable xentool-bridge.service",
        "update-grub",
    ]


def test_guests_start_from_busybox_their_init_and_each_module_after_what_it_needs(root: Path, tmp_path: Path) -> None:
    provision(root)
    archive = gzip.decompress((root / "usr/lib/xentool-lab/guest-initrd").read_bytes())
    out = tmp_path / "unpacked"
    out.mkdir()
    subprocess.run(["cpio", "-i", "--quiet"], input=archive, cwd=out, check=True)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "bin/busybox",
        "bin/work",
        "init",
        "modules/order",
        "modules/xen-blkfront.ko",
        "modules/xen-netfront.ko",
        "modules/xenbus.ko",
        "sbin/poweroff",
    ]
    assert (out / "modules/order").read_text() == "xenbus.ko\nxen-blkfront.ko\nxen-netfront.ko\n"
    assert (out / "init").read_bytes() == (DATA / "guest.init").read_bytes()
    for program in ("bin/busybox", "init", "sbin/poweroff"):
        assert os.access(out / program, os.X_OK)
    assert not list((root / "usr/lib/xentool-lab").glob("guest-initrd.*"))


def test_hvm_guests_leave_cpu_0_alone_where_qemu_emulates(root: Path) -> None:
    provision(root)
    assert (root / "etc/xen/xl.conf").read_text() == '#autoballoon="auto"\n'
    (root / "proc/cpuinfo").write_text("model name\t: QEMU TCG CPU version 2.5+\n")
    for _ in range(2):
        provision(root)
    assert (root / "etc/xen/xl.conf").read_text() == '#autoballoon="auto"\nvm.hvm.cpumask="1-3" # xentool\n'


def test_what_is_installed_needs_no_network(root: Path) -> None:
    (root / "stand-ins/dpkg-query").write_text("#!/bin/sh\nprintf installed\n")
    (root / "stand-ins/apt-get").write_text("#!/bin/sh\nexit 100\n")
    provision(root)
    assert (root / "calls").read_text().splitlines() == ["systemctl enable xentool-bridge.service", "update-grub"]
