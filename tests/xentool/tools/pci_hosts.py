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
#: As it was printed, without xl's blanks at a line's end: dom0 of a lab with an emulated Intel IOMMU (Xen 4.17, Linux
#: 6.1, QEMU 7.2), an e1000e that a PV guest has, and an NVMe disk with three virtual functions, one held for a guest.
EMULATED = """\
0000:00:00.0/vendor:0x8086
0000:00:01.0/vendor:0x1af4
0000:00:02.0/vendor:0x1af4
0000:00:03.0/vendor:0x1af4
0000:00:08.0/vendor:0x8086
0000:00:09.0/vendor:0x1b36
0000:00:1f.0/vendor:0x8086
0000:00:1f.2/vendor:0x8086
0000:00:1f.3/vendor:0x8086
0000:01:00.0/vendor:0x1b36
0000:01:00.1/vendor:0x1b36
0000:01:00.2/vendor:0x1b36
0000:01:00.3/vendor:0x1b36
0000:00:00.0/device:0x29c0
0000:00:01.0/device:0x1000
0000:00:02.0/device:0x1001
0000:00:03.0/device:0x1001
0000:00:08.0/device:0x10d3
0000:00:09.0/device:0x000c
0000:00:1f.0/device:0x2918
0000:00:1f.2/device:0x2922
0000:00:1f.3/device:0x2930
0000:01:00.0/device:0x0010
0000:01:00.1/device:0x0010
0000:01:00.2/device:0x0010
0000:01:00.3/device:0x0010
0000:00:00.0/class:0x060000
0000:00:01.0/class:0x020000
0000:00:02.0/class:0x010000
0000:00:03.0/class:0x010000
0000:00:08.0/class:0x020000
0000:00:09.0/class:0x060400
0000:00:1f.0/class:0x060100
0000:00:1f.2/class:0x010601
0000:00:1f.3/class:0x0c0500
0000:01:00.0/class:0x010802
0000:01:00.1/class:0x010802
0000:01:00.2/class:0x010802
0000:01:00.3/class:0x010802
0000:01:00.0/sriov_numvfs:3
0000:01:00.0/sriov_totalvfs:4
0000:00:01.0/driver:../../../bus/pci/drivers/virtio-pci
0000:00:02.0/driver:../../../bus/pci/drivers/virtio-pci
0000:00:03.0/driver:../../../bus/pci/drivers/virtio-pci
0000:00:08.0/driver:../../../bus/pci/drivers/pciback
0000:00:09.0/driver:../../../bus/pci/drivers/pcieport
0000:01:00.0/driver:../../../../bus/pci/drivers/nvme
0000:01:00.1/driver:../../../../bus/pci/drivers/pciback
0000:01:00.1/physfn:../0000:01:00.0
0000:01:00.2/physfn:../0000:01:00.0
0000:01:00.3/physfn:../0000:01:00.0
\f0000:01:00.1
\fdomain 1
Vdev Device
00.0 0000:00:08.0
"""
#: As the same machine printed it, by Linux with KVM and no Xen: the NIC and one virtual function are held for a guest.
EMULATED_KVM = """\
0000:00:00.0/vendor:0x8086
0000:00:01.0/vendor:0x1af4
0000:00:02.0/vendor:0x1af4
0000:00:03.0/vendor:0x1af4
0000:00:08.0/vendor:0x8086
0000:00:09.0/vendor:0x1b36
0000:00:1f.0/vendor:0x8086
0000:00:1f.2/vendor:0x8086
0000:00:1f.3/vendor:0x8086
0000:01:00.0/vendor:0x1b36
0000:01:00.1/vendor:0x1b36
0000:01:00.2/vendor:0x1b36
0000:01:00.3/vendor:0x1b36
0000:00:00.0/device:0x29c0
0000:00:01.0/device:0x1000
0000:00:02.0/device:0x1001
0000:00:03.0/device:0x1001
0000:00:08.0/device:0x10d3
0000:00:09.0/device:0x000c
0000:00:1f.0/device:0x2918
0000:00:1f.2/device:0x2922
0000:00:1f.3/device:0x2930
0000:01:00.0/device:0x0010
0000:01:00.1/device:0x0010
0000:01:00.2/device:0x0010
0000:01:00.3/device:0x0010
0000:00:00.0/class:0x060000
0000:00:01.0/class:0x020000
0000:00:02.0/class:0x010000
0000:00:03.0/class:0x010000
0000:00:08.0/class:0x020000
0000:00:09.0/class:0x060400
0000:00:1f.0/class:0x060100
0000:00:1f.2/class:0x010601
0000:00:1f.3/class:0x0c0500
0000:01:00.0/class:0x010802
0000:01:00.1/class:0x010802
0000:01:00.2/class:0x010802
0000:01:00.3/class:0x010802
0000:01:00.0/sriov_numvfs:3
0000:01:00.0/sriov_totalvfs:4
0000:00:01.0/driver:../../../bus/pci/drivers/virtio-pci
0000:00:02.0/driver:../../../bus/pci/drivers/virtio-pci
0000:00:03.0/driver:../../../bus/pci/drivers/virtio-pci
0000:00:08.0/driver:../../../bus/pci/drivers/vfio-pci
0000:00:09.0/driver:../../../bus/pci/drivers/pcieport
0000:01:00.0/driver:../../../../bus/pci/drivers/nvme
0000:01:00.1/driver:../../../../bus/pci/drivers/vfio-pci
0000:00:00.0/iommu_group:../../../kernel/iommu_groups/0
0000:00:01.0/iommu_group:../../../kernel/iommu_groups/1
0000:00:02.0/iommu_group:../../../kernel/iommu_groups/2
0000:00:03.0/iommu_group:../../../kernel/iommu_groups/3
0000:00:08.0/iommu_group:../../../kernel/iommu_groups/4
0000:00:09.0/iommu_group:../../../kernel/iommu_groups/5
0000:00:1f.0/iommu_group:../../../kernel/iommu_groups/6
0000:00:1f.2/iommu_group:../../../kernel/iommu_groups/6
0000:00:1f.3/iommu_group:../../../kernel/iommu_groups/6
0000:01:00.0/iommu_group:../../../../kernel/iommu_groups/7
0000:01:00.1/iommu_group:../../../../kernel/iommu_groups/8
0000:01:00.2/iommu_group:../../../../kernel/iommu_groups/9
0000:01:00.3/iommu_group:../../../../kernel/iommu_groups/10
0000:01:00.1/physfn:../0000:01:00.0
0000:01:00.2/physfn:../0000:01:00.0
0000:01:00.3/physfn:../0000:01:00.0
\f\f"""
