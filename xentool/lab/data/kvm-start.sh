#!/bin/sh
# Turns a bare Debian root into a host of KVM's guests.
. /usr/lib/xentool-lab/host-start.sh

file_systems
mkdir -p /var/log/xentool
modules kvm-modules.list
network

step "KVM"
for module in kvm_amd kvm_intel; do modprobe -q "$module" && break; done
[ -c /dev/kvm ] || fail "KVM does not run: this machine's processors, as QEMU shows them, have neither SVM nor VMX"
step "ready"
