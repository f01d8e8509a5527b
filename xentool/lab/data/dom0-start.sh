#!/bin/sh
# Turns a bare Debian root into a dom0.
. /usr/lib/xentool-lab/host-start.sh
. /etc/default/xentool-lab
. /etc/default/xenstored

file_systems
mkdir -p /run/xen /run/xenstored /var/lib/xen /var/log/xen/console
modules dom0-modules.list
mount -t xenfs xenfs /proc/xen
network

step "XenStore"
"$XEN_BIN/$XENSTORED" || fail "$XENSTORED did not start"
"$XEN_BIN/xen-init-dom0" || fail "xen-init-dom0 failed"
step "dom0 ready"
