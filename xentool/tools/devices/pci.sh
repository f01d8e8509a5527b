# Prints in dom0 what there is on the PCI bus, what xl may hand to guests, and what they have; parts end with a form feed.
cd /sys/bus/pci/devices 2>/dev/null && {
    grep -s . */vendor */device */class */sriov_numvfs */sriov_totalvfs
    find */driver */iommu_group */physfn -maxdepth 0 -printf '%p:%l\n' 2>/dev/null
    find */net/* -maxdepth 0 -printf '%H:%f\n' 2>/dev/null
}
printf '\f'
xl pci-assignable-list 2>/dev/null
printf '\f'
for domid in $(xenstore-list /local/domain/0/backend/pci 2>/dev/null); do
    echo "domain $domid"
    xl pci-list "$domid" 2>/dev/null
done
exit 0
