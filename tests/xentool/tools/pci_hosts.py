"""What pci.sh prints on hosts that hand out PCI functions."""

#: A dom0 with an 82599 that has three virtual functions, one of them held for a guest and one
#: given to one; laid out as Linux 6.1 has it under Xen, which shows no groups.
DOM0 = """\
0000:00:00.0/vendor:0x8086
0000:00:00.0/device:0x3c00
0000:00:00.0/class:0x060000
0000:03:00.0/vendor:0x8086
0000:03:00.0/device:0x10fb
0000:03:00.0/class:0x020000
0000:03:00.0/sriov_numvfs:3
0000:03:00.0/sriov_totalvfs:63
0000:03:10.0/vendor:0x8086
0000:03:10.0/device:0x10ed
0000:03:10.0/class:0x020000
0000:03:10.2/vendor:0x8086
0000:03:10.2/device:0x10ed
0000:03:10.2/class:0x020000
0000:03:10.4/vendor:0x8086
0000:03:10.4/device:0x10ed
0000:03:10.4/class:0x020000
0000:03:00.0/driver:../../../../bus/pci/drivers/ixgbe
0000:03:10.0/driver:../../../../bus/pci/drivers/pciback
0000:03:10.2/driver:../../../../bus/pci/drivers/pciback
0000:03:10.4/driver:../../../../bus/pci/drivers/ixgbevf
0000:03:10.0/physfn:../0000:03:00.0
0000:03:10.2/physfn:../0000:03:00.0
0000:03:10.4/physfn:../0000:03:00.0
0000:03:00.0/net/enp3s0f0:enp3s0f0
0000:03:10.4/net/enp3s0f0v2:enp3s0f0v2
\f0000:03:10.0 lan
\fdomain 4
Vdev Device
05.0 0000:03:10.2
"""
#: A workstation under KVM: a graphics card with its sound in one group, both held for a guest; Linux 6.1.
KVM = """\
0000:01:00.0/vendor:0x10de
0000:01:00.0/device:0x1b80
0000:01:00.0/class:0x030000
0000:01:00.1/vendor:0x10de
0000:01:00.1/device:0x10f0
0000:01:00.1/class:0x040300
0000:02:00.0/vendor:0x144d
0000:02:00.0/device:0xa804
0000:02:00.0/class:0x010802
0000:01:00.0/driver:../../../../bus/pci/drivers/vfio-pci
0000:01:00.0/iommu_group:../../../../kernel/iommu_groups/13
0000:01:00.1/driver:../../../../bus/pci/drivers/vfio-pci
0000:01:00.1/iommu_group:../../../../kernel/iommu_groups/13
0000:02:00.0/driver:../../../../bus/pci/drivers/nvme
0000:02:00.0/iommu_group:../../../../kernel/iommu_groups/14
\f\f"""
