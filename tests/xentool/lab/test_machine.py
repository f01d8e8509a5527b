import dataclasses
from itertools import pairwise
from pathlib import Path

import pytest

from xentool.errors import XentoolError
from xentool.lab import (
    console,
    guest,
    guests,
    hypervisors,
    kvm_guest,
    places,
    process,
    qemu,
    seed,
    sync,
    wheel,
    xl_guest,
)

MACHINE = qemu.Machine("a", Path("/run/a,b"), Path("/images/x,y"), "tcg", 3072, 2, 4022)


def test_qemu_listens_on_this_machine_only_and_writes_to_no_image() -> None:
    words = qemu.command(MACHINE)
    text = " ".join(words)
    assert "hostfwd=tcp:127.0.0.1:4022-" in text
    assert "vnc" not in text
    assert any("root.ext4" in word and "snapshot=on" in word for word in words)
    assert "/images/x,,y/xen.elf" in words
    assert "/run/a,b/qemu.pid" in words


def test_a_saved_machine_goes_on_from_its_folder_and_leaves_that_alone() -> None:
    words = qemu.command(dataclasses.replace(MACHINE, saved=Path("/snapshots/it's, one")))
    assert words[words.index("-incoming") + 1] == "exec:cat '/snapshots/it'\"'\"'s, one/state'"
    assert "if=virtio,snapshot=on,format=qcow2,file=/snapshots/it's,, one/disk.qcow2" in words
    assert "-incoming" not in qemu.command(MACHINE)


@pytest.mark.parametrize("flag", ["smap", "rdtscp", "xsave", "erms"])
def test_emulated_cpus_lack_what_emulation_does_wrong_or_slowly(flag: str) -> None:
    assert f"-{flag}" in qemu.CPU["tcg"].split(",")
    assert f"-{flag}" not in qemu.CPU["kvm"].split(",")


def test_hardware_assisted_guests_keep_off_an_emulated_cpu_0() -> None:
    own = seed.settings(hypervisors.XEN, "oxenstored", qemu.cpus_for_hvm("tcg", 3))
    assert own["etc/xen/xl.conf"] == b'vm.hvm.cpumask="1-2"\n'
    assert own["etc/default/xentool-guests"] == b"GUEST_CPUS=1-2\n"
    # A single CPU has nobody who writes to it; real ones need no such care.
    assert (qemu.cpus_for_hvm("tcg", 1), qemu.cpus_for_hvm("kvm", 2)) == ("0-0", "0-1")


def test_a_lab_of_kvm_boots_the_same_kernel_and_disk_without_xen() -> None:
    xen, kvm = qemu.command(MACHINE), qemu.command(dataclasses.replace(MACHINE, under=hypervisors.KVM))
    assert "/images/x,,y/xen.elf" not in kvm
    assert kvm[kvm.index("-kernel") + 1] == "/images/x,y/vmlinux"
    assert "console=ttyS0" in kvm[kvm.index("-append") + 1]
    assert kvm[kvm.index("-initrd") + 1] == qemu.INITRD
    assert [word for word in xen if word.startswith("if=virtio,")] == [
        word for word in kvm if word.startswith("if=virtio,")
    ]


def test_each_hypervisors_host_runs_its_own_programs() -> None:
    for under, program in ((hypervisors.XEN, b"dom0-start.sh"), (hypervisors.KVM, b"kvm-start.sh")):
        assert program in seed.settings(under, "oxenstored", "0-1")["etc/inittab"]
        for script in (under.start, under.stop, under.end):
            assert (Path(seed.__file__).parent / "data" / Path(script).name).is_file()
            assert Path(script).name in seed._SCRIPTS


def test_why_a_kvm_host_died() -> None:
    text = "xentool-lab: FAILED: KVM does not run: no SVM\r\nreboot: Power down\r\n"
    assert console.death(text, hypervisors.KVM) == "the KVM host did not start: KVM does not run: no SVM"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(XEN) Panic on CPU 1:\r\n(XEN) FATAL PAGE FAULT\r\n", "Xen panicked on CPU 1"),
        ("Kernel panic - not syncing: sysrq triggered crash\r\n", "dom0's kernel panicked: sysrq triggered crash"),
        ("(XEN) Hardware Dom0 crashed: rebooting machine in 5 seconds.", "dom0 crashed"),
        ("xentool-lab: FAILED: no seed\r\nreboot: Power down\r\n", "dom0 did not start: no seed"),
        ("xentool-lab: dom0 ready\r\n", None),
        # The rest of the line is still on its way.
        ("Kernel panic - not syncing: sysrq trig", None),
    ],
)
def test_why_it_died(text: str, expected: str | None) -> None:
    assert console.death(text) == expected


def test_how_far_it_is() -> None:
    assert console.stage("[ 0.1] Linux\r\n", hypervisors.KVM) == "Linux starts"
    assert console.stage("xentool-lab: KVM\r\n", hypervisors.KVM) == "the KVM host: KVM"
    assert console.stage("") == "Xen starts"
    assert console.stage("(XEN) Xen version 4.17\r\n") == "Xen started dom0"
    assert console.stage("(XEN) x\r\nxentool-lab: modules\r\nxentool-lab: network\r\n") == "dom0: network"


def test_the_ending_is_short_and_plain() -> None:
    assert console.ending("".join(f"{n}\r\n\r\n" for n in range(20))) == "\n".join(f"  {n}" for n in range(12, 20))


def test_a_foreign_process_is_not_taken_for_qemu(tmp_path: Path) -> None:
    (tmp_path / qemu.PIDFILE).write_text("1\n")
    assert process.find(tmp_path) is None
    process.kill(tmp_path)  # must not touch process 1
    assert process.wait(tmp_path, 0)


@pytest.mark.parametrize("name", ["", "a/b", "-x", "a b", "..", "x" * 41, 'a"b'])
def test_names_that_would_break_out_are_refused(name: str) -> None:
    with pytest.raises(XentoolError, match="is no name for a guest"):
        places.checked_name(name, "guest")


@pytest.mark.parametrize("kind", ["hvm", "pvhvm"])
def test_a_type_that_no_lab_has_is_answered_with_why(kind: str) -> None:
    with pytest.raises(XentoolError, match=f"^a lab has no {kind} guests: Linux was not seen to start"):
        guests.start(guest.Guest("domU", kind), "there-is-no-such-lab")


def test_a_guests_configuration() -> None:
    text = xl_guest.configuration(guest.Guest("domU", "pvh", 2, 256, "net"), "w0rd")
    for line in ('name = "domU"', 'type = "pvh"', "vcpus = 2", "memory = 256", 'vif = ["script=vif-xentool,ip=@IP@"]'):
        assert line in text.splitlines()
    assert "xentool.ready=w0rd xentool.workload=net" in text
    assert "clearcpuid" not in text
    assert "earlyprintk" not in text
    emulated = xl_guest.configuration(guest.Guest("domU", marks=True), "w0rd", emulated=True)
    assert "init_on_alloc=0 clearcpuid=tsc lpj=4000000 earlyprintk=xen,keep xentool.ready=w0rd" in emulated
    assert "printk.devkmsg=on" in emulated


@pytest.mark.parametrize(
    ("kind", "machine", "disk", "nic", "vhost"),
    [
        ("virtio", "q35", "virtio-blk-pci", "virtio-net-pci", "on"),
        ("shadow", "q35", "virtio-blk-pci", "virtio-net-pci", "on"),
        ("emulated", "pc", "ide-hd", "e1000", "off"),
    ],
)
def test_a_guests_qemu(kind: str, machine: str, disk: str, nic: str, vhost: str) -> None:
    words = kvm_guest.command(guest.Guest("domU", kind, 2, 256, "net"), "w0rd").splitlines()
    options = list(pairwise(words))
    assert ("-machine", machine) in options
    assert ("-m", "256") in options
    assert ("-smp", "2") in options
    assert [value.split(",")[0] for name, value in options if name == "-device"] == [disk, nic]
    assert any(name == "-netdev" and value.endswith(f"vhost={vhost}") for name, value in options)
    appended = next(value for name, value in options if name == "-append")
    assert "xentool.ready=w0rd" in appended.split()
    assert f"xentool.type={kind}" in appended.split()
    # Its memory and disk are its own; what is seen of it comes by files.
    assert ("-pidfile", "/var/lib/xentool/domU.pid") in options
    assert ("-name", "domU,debug-threads=on") in options


def test_guests_that_run_under_kvm_are_read_off_what_is_listed() -> None:
    assert kvm_guest.listed("b 812 shadow 2 fork\na 640 virtio 1 idle\n") == [
        guest.Running("a", 640, "virtio", 1, "idle"),
        guest.Running("b", 812, "shadow", 2, "fork"),
    ]
    assert kvm_guest.listed("") == []


def test_the_wheel_holds_the_three_packages_and_the_labs_data() -> None:
    top = wheel.checkout()
    assert top is not None
    found = {str(path) for path in wheel.sources(top)}
    assert {"pyproject.toml", "setup.py", "xentool/errors.py", "xentool/lab/data/packages.list"} <= found
    assert not any(path.endswith((".so", ".pyc")) or path.startswith("tests") for path in found)


def test_sync_needs_a_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path))
    with pytest.raises(XentoolError, match=r"^no lab default is running; `xentool lab up` starts it$"):
        sync.sync()
