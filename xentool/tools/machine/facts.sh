# Tells what `xentool detect` reads of a machine, and changes nothing there. Run as: sh -s FILE... -- FOLDER... -- MARK...
# Lines "file PATH", "dir PATH", "name NAME" in it, "mark PATH", "link PATH TEXT", "cpuid LEAF HEX", "unread PATH"; then "files", and
# of each line of each file PATH, a NUL, the line.
LC_ALL=C
export LC_ALL
files=
while [ "$1" != -- ]; do
	if [ -e "$1" ]; then
		# Of some files only opening them tells that it may not be.
		if true 2>/dev/null <"$1"; then
			files="$files $1"
			echo "file $1"
		else
			echo "unread $1"
		fi
	fi
	shift
done
shift
while [ "$1" != -- ]; do
	if [ -d "$1" ]; then
		echo "dir $1"
		ls -A "$1" 2>/dev/null | head -n 1024 | sed 's/^/name /'
	fi
	shift
done
shift
for mark; do
	[ -e "$mark" ] && echo "mark $mark"
done
for kind in cgroup ipc pid user uts; do
	link=$(readlink "/proc/self/ns/$kind") && echo "link /proc/self/ns/$kind $link"
done
for link in /sys/bus/pci/devices/*/iommu_group /sys/bus/pci/devices/*/physfn; do
	target=$(readlink "$link") && echo "link $link $target"
done
# Linux arch/x86/kernel/cpuid.c: the position is the leaf
if [ -r /dev/cpu/0/cpuid ]; then
	for leaf in 1 1073741824 1073742080 1073742336 1073742592; do
		hex=$(dd if=/dev/cpu/0/cpuid bs=16 count=1 iflag=skip_bytes skip=$leaf 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
		echo "cpuid $leaf $hex"
	done
elif [ -e /dev/cpu/0/cpuid ]; then
	echo "unread /dev/cpu/0/cpuid"
fi
echo files
# shellcheck disable=SC2086 # they are words
grep -a -s -H -Z '' $files /sys/bus/*/devices/*/uevent /sys/bus/pci/devices/*/sriov_totalvfs \
	/sys/bus/pci/devices/*/sriov_numvfs | head -c 8388608
exit 0
