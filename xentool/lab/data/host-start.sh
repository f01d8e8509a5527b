#!/bin/sh
# Sourced by what starts a host, dom0 or a KVM host, on a bare Debian root, without systemd.
# Standard output is the console, which the machine outside keeps in a file.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

step() { echo "xentool-lab: $*"; }
fail() { step "FAILED: $*"; sleep 1; busybox poweroff -f; }

file_systems() {
    step "file systems"
    mkdir -p /dev/pts /dev/shm
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    mkdir -p /run/sshd /run/lock /var/lib/xentool
    hostname -F /etc/hostname
}

# usage: modules LIST
modules() {
    step "modules"
    # shellcheck disable=SC2046 # the list is words
    modprobe -a $(grep -v '^#' "/usr/lib/xentool-lab/$1") || fail "a kernel module is missing"
    mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
}

network() {
    step "network"
    ip link set lo up
    ip address add 10.0.2.15/24 dev eth0
    ip link set eth0 up
    ip route add default via 10.0.2.2
    /usr/lib/xentool-lab/bridge.sh
}
