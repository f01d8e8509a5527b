#!/bin/sh
# A libvirtd of a test's own, in namespaces made by unshare: nothing of this machine's libvirt, networks or firewall is
# touched. Says "ready" when it answers, and holds the namespaces until its input ends, and with them all that runs there.
# usage: namespace.sh WORK, as process 1 of a PID namespace, in mount, network and IPC namespaces
set -eu
work=$1

ip link set lo up
# /sys/class/net of this namespace; and no control groups, which libvirt would make for machines.
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/libvirt
for folder in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    mkdir -p "$work$folder" "$folder"
    mount --bind "$work$folder" "$folder"
done
mkdir -p /var/lib/libvirt/images
# Of qemu: no user, label, group or namespace of its own.
cat >/etc/libvirt/qemu.conf <<'QEMU'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
remember_owner = 0
QEMU
: >/etc/libvirt/libvirtd.conf

virtlogd --daemon
# It is in the background once its sockets are there; what connects waits for it.
libvirtd --daemon
virsh -c qemu:///system version
echo ready
# A QEMU that has ended is this process's child, as its parent is gone: a shell that waits takes it away, or libvirt would
# think that it still ends. (In the background, input is nothing unless it is said.)
exec 3<&0
cat <&3 &
wait $!
