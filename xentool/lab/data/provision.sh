#!/bin/sh
# Turns an ordinary Debian, with systemd, into a dom0: the lab's packages, modules, bridge and hotplug scripts.
# usage: provision.sh "PACKAGES" "MODULES"; this folder is at /tmp/xentool-data.
set -eu
data=/tmp/xentool-data
here=/usr/lib/xentool-lab
export DEBIAN_FRONTEND=noninteractive

apt-get update -q
# shellcheck disable=SC2086 # the lists are words
apt-get install -q -y --no-install-recommends $1

install -d "$here"
install -m 755 "$data"/*.sh "$here"
for name in block-xentool vif-xentool; do
    install -m 755 "$data/$name.sh" "/etc/xen/scripts/$name"
done

: >/etc/modules-load.d/xentool.conf
for module in $2; do
    echo "$module" >>/etc/modules-load.d/xentool.conf
done

cat >/etc/systemd/system/xentool-bridge.service <<UNIT
[Unit]
Description=Bridge for the guests of xentool's lab
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$here/bridge.sh
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable xentool-bridge.service

# Debian's Xen packages put Xen first in GRUB's menu; dom0 leaves the rest of the memory to guests.
mkdir -p /etc/default/grub.d
echo 'GRUB_CMDLINE_XEN_DEFAULT="dom0_mem=1228M,max:1228M"' >/etc/default/grub.d/xentool.cfg
update-grub
