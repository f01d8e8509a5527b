#!/bin/sh
# Turns a bare Debian root into a dom0, without systemd: file systems, modules, network, XenStore.
# Standard output is the console, which the host keeps in a file.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
. /etc/default/xentool-lab
. /etc/default/xenstored

step() { echo "xentool-lab: $*"; }
fail() { step "FAILED: $*"; sleep 1; busybox poweroff -f; }

step "file systems"
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /run/sshd /run/xen /run/xenstored /run/lock /var/lib/xen /var/lib/xentool /var/log/xen/console
hostname -F /etc/hostname

step "modules"
modprobe -a $(cat /usr/lib/xentool-lab/dom0-modules.list | grep -v '^#') || fail "a kernel module is missing"
mount -t xenfs xenfs /proc/xen
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

step "network"
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
/usr/lib/xentool-lab/bridge.sh

step "XenStore"
"$XEN_BIN/$XENSTORED" || fail "$XENSTORED did not start"
"$XEN_BIN/xen-init-dom0" || fail "xen-init-dom0 failed"
step "dom0 ready"
