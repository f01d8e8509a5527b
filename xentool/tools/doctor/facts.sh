# Runs on a host, read by sh from the standard input: a fact a line, KEY, a space and a value. Changes nothing.
# $1: a folder of this user's whose file system is asked for room, or its nearest parent that is there
export LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

tell() { printf '%.300s\n' "$*"; }
# What may be read and written by this user: "yes", or why not.
access() { if [ ! -e "$1" ]; then echo missing; elif [ -r "$1" ] && [ -w "$1" ]; then echo yes; else echo denied; fi; }

tell uid "$(id -u)"
tell kernel "$(uname -r)"
tell hypervisor "$(cat /sys/hypervisor/type 2>/dev/null)"
if grep -qs control_d /proc/xen/capabilities; then tell dom0 yes; fi
for tool in xl xentrace bash flock virsh qemu-system-x86_64 mmdebstrap newuidmap; do
    if found=$(command -v "$tool"); then tell "tool.$tool" "$found"; fi
done
# Debian keeps a release's own programs apart.
for found in /usr/lib/xen-*/bin/xentrace; do if [ -x "$found" ]; then tell tool.xentrace "$found"; fi; done
if command -v xl >/dev/null; then
    version=$(xl info xen_version 2>&1) && tell xen "$version" || tell xl.error "$(echo "$version" | tail -n 1)"
    dmesg=$(xl dmesg 2>&1 >/dev/null) && tell console yes || tell console.error "$(echo "$dmesg" | tail -n 1)"
fi
for name in gntdev evtchn gntalloc privcmd xenbus; do tell "device.$name" "$(access "/dev/xen/$name")"; done
tell device.tun "$(access /dev/net/tun)"
tell device.kvm "$(access /dev/kvm)"
tell socket.xenstored "$(access /run/xenstored/socket)"
tell socket.libvirt "$(access /run/libvirt/libvirt-sock)"
for comm in /proc/[0-9]*/comm; do
    read -r name 2>/dev/null <"$comm" || continue
    case $name in xentrace | xenbaked)
        pid=${comm#/proc/}
        tell tracer "${pid%/comm}" "$name"
        ;;
    esac
done
for root in /sys/kernel/tracing /sys/kernel/debug/tracing; do
    if [ -d "$root/instances" ]; then
        tell tracefs "$root"
        if [ -d "$root/events/kvm" ]; then tell tracefs.kvm yes; fi
        break
    fi
done
read -r load rest </proc/loadavg && tell load "$load"
tell cpus "$(grep -c ^processor /proc/cpuinfo)"
while read -r key value rest; do [ "$key" = MemAvailable: ] && tell memory_kib "$value"; done </proc/meminfo
folder=$1
while [ -n "$folder" ] && [ ! -d "$folder" ]; do folder=${folder%/*}; done
tell room_kib "$(df -Pk "${folder:-/}" | { read -r rest; read -r _ _ _ free rest; echo "$free"; })"
