"""Who answers a guest: which device, in the kernel or in the machine's process; registers by their names."""

import pytest

from tests.traces.kvm.traces import VCPU, Told, counted, entry, exit_, page, sample, sixth
from traces.analyses.kvm import report
from traces.answers import VcpuReport
from traces.kvm.devices import Devices, Range, parsed

DOORBELL, REGISTER, EINTR = 0xFEB03000, 0xFEB80000, 4

MTREE = """\
address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    00000000e0000000-ffffffffffffffff (prio -1, i/o): pci
      00000000feb00000-00000000feb03fff (prio 1, i/o): virtio-pci
        00000000feb03000-00000000feb03fff (prio 0, i/o): virtio-pci-notify-virtio-blk
      00000000feb80000-00000000feb9ffff (prio 1, i/o): e1000-mmio
      00000000feb80000-00000000feb80fff (prio 1, i/o): alias x @e1000-mmio 0-fff
address-space: I/O
  0000000000000000-000000000000ffff (prio 0, i/o): io
    000000000000c040-000000000000c04f (prio 1, i/o): piix-bmdma-container
    00000000000003f8-00000000000003ff (prio 0, i/o): serial
"""
PROC = """\
feb00000-feb03fff : 0000:00:04.0
  feb03000-feb03fff : virtio-pci-modern
00c040-0xyz : no
01f0-01f7 : ata_piix
"""


def _vcpu(*records: Told, devices: Devices | None = None) -> VcpuReport:
    trace, counts, _ = counted(sixth([[page(records)]]))
    found = report(counts, trace, devices=devices)
    return next(domain for domain in found.domains if domain.mode == "kvm").vcpus[0]


RECORDS = [
    entry(10, VCPU),
    # A doorbell that the kernel takes, and one that it takes at once.
    exit_(20, VCPU, 0x400),
    Told(21, VCPU, "kvm_mmio", {"type": 2, "gpa": DOORBELL}),
    entry(25, VCPU),
    exit_(30, VCPU, 0x400),
    Told(31, VCPU, "kvm_fast_mmio", {"gpa": DOORBELL}),
    entry(32, VCPU),
    # A register that the process reads: it is told twice, without a value at first.
    exit_(40, VCPU, 0x400),
    Told(41, VCPU, "kvm_mmio", {"type": 0, "gpa": REGISTER}),
    Told(42, VCPU, "kvm_userspace_exit", {"reason": 6}),
    Told(50, VCPU, "kvm_mmio", {"type": 1, "gpa": REGISTER}),
    entry(52, VCPU),
    exit_(60, VCPU, 0x7B),
    Told(61, VCPU, "kvm_pio", {"rw": 1, "port": 0x3F8}),
    Told(62, VCPU, "kvm_userspace_exit", {"reason": 2}),
    entry(70, VCPU),
    # Called away by a signal: the reason is an old one.
    exit_(80, VCPU, 0x400),
    Told(81, VCPU, "kvm_mmio", {"type": 2, "gpa": DOORBELL}),
    Told(82, VCPU, "kvm_userspace_exit", {"reason": 2, "errno": (1 << 32) - EINTR}),
    entry(90, VCPU),
    exit_(95, VCPU, 0x7C),
    Told(96, VCPU, "kvm_msr", {"write": 1, "ecx": 0x6E0, "data": 5}),
    Told(97, VCPU, "kvm_msr", {"write": 0, "ecx": 0x6E0}),
    Told(98, VCPU, "kvm_msr", {"write": 1, "ecx": 0x1234}),
    entry(99, VCPU),
]


def test_who_answers() -> None:
    one = _vcpu(*RECORDS, devices=Devices(parsed(MTREE)))
    assert [(of.kind, of.address, of.reads, of.writes, of.entries, of.device) for of in one.io] == [
        ("memory", DOORBELL, 0, 3, 0, "virtio-pci-notify-virtio-blk"),
        ("memory", REGISTER, 1, 0, 1, "e1000-mmio"),
        ("port", 0x3F8, 0, 1, 1, "serial"),
    ]
    assert one.entries == {"KVM_EXIT_IO": 1, "KVM_EXIT_MMIO": 1, "a signal": 1}
    assert [(of.number, of.name, of.reads, of.writes) for of in one.msrs] == [
        (0x6E0, "TSC_DEADLINE", 1, 1),
        (0x1234, None, 0, 1),
    ]


def test_the_real_ones() -> None:
    trace, counts, _ = counted(sample())
    (vcpu,) = next(domain for domain in report(counts, trace).domains if domain.mode == "kvm").vcpus
    assert [(one.address, one.writes, one.entries) for one in vcpu.io] == [(0xFEBF7000, 28, 0), (0xFEBFB004, 10, 0)]
    assert [(one.name, one.writes) for one in vcpu.msrs] == [("TSC_DEADLINE", 140), ("X2APIC_EOI", 54)]
    # Each end of an interrupt that takes an exit is a write of that register.
    assert vcpu.events["kvm_eoi"] - vcpu.events["kvm_pv_eoi"] == 54


@pytest.mark.parametrize(
    ("kind", "address", "name"),
    [
        ("port", 0x1F0, "IDE 0"),
        ("port", 0x1F7, "IDE 0"),
        ("port", 0x3F6, "IDE 0"),
        ("port", 0x3F5, "floppy"),
        ("port", 0x3F8, "serial 0"),
        ("port", 0xCF8, "PCI configuration"),
        ("port", 0x60, "keyboard"),
        ("port", 0x64, "keyboard"),
        ("port", 0xC040, None),
        ("memory", 0xFEE000B0, "local APIC"),
        ("memory", 0xFEBF7000, None),
        ("memory", 0x60, None),
    ],
)
def test_where_pcs_have_them(kind: str, address: int, name: str | None) -> None:
    assert Devices().name(kind, address) == name


def test_a_map_of_qemus() -> None:
    devices = Devices(parsed(MTREE))
    assert devices.name("memory", 0xFEB03010) == "virtio-pci-notify-virtio-blk"
    assert devices.name("memory", 0xFEB02FFF) == "virtio-pci"
    assert devices.name("memory", 0xFEB04000) is None
    assert devices.name("port", 0xC042) == "piix-bmdma-container"
    # Before that of PCs; where it says nothing, they do.
    assert devices.name("port", 0x3F8) == "serial"
    assert devices.name("port", 0x70) == "RTC"


def test_a_map_of_linux() -> None:
    devices = Devices(parsed(PROC))
    assert devices.name("memory", 0xFEB00000) == "0000:00:04.0"
    assert devices.name("memory", 0xFEB03000) == "virtio-pci-modern"
    assert devices.name("port", 0x1F0) == "ata_piix"
    assert Devices(parsed("nonsense\n" * 10)).name("port", 0xC040) is None


def test_ranges_within_one_another() -> None:
    ranges = [Range("memory", 0, 99, "all"), Range("memory", 10, 19, "ten"), Range("memory", 15, 15, "one")]
    devices = Devices(ranges)
    expected = ["all"] * 10 + ["ten"] * 5 + ["one"] + ["ten"] * 4 + ["all"] * 80 + [None]
    assert [devices.name("memory", address) for address in range(101)] == expected
