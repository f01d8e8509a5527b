#!/bin/sh
# Turns an ordinary Debian, with systemd, into a dom0: the lab's packages, modules, bridge and hotplug scripts.
# usage: provision.sh "PACKAGES" "MODULES" XEN_VERSION; this folder is at /tmp/xentool-data.
set -eu
data=/tmp/xentool-data
here=/usr/lib/xentool-lab
export DEBIAN_FRONTEND=noninteractive

# What is there already needs no network.
missing=
for package in $1; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
    apt-get update -q
    # shellcheck disable=SC2086 # the list is words
    apt-get install -q -y --no-install-recommends $missing
fi

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

# xl needs root, so `xentool -H ssh://root@...` logs in as root: by the key that Vagrant gave its own user.
install -d -m 700 /root/.ssh
install -m 600 "/home/${SUDO_USER:-vagrant}/.ssh/authorized_keys" /root/.ssh/authorized_keys

# Guests as in a lab: their kernel and archive, where Xen's programs are, and their consoles in files.
release=$(find /boot -name 'vmlinuz-*' -printf '%f\n' | sed 's/^vmlinuz-//' | sort -V | tail -n 1)
mkdir -p /var/lib/xentool /var/log/xen/console
printf 'XEN_BIN=%s\nKERNEL=/boot/vmlinuz-%s\n' "/usr/lib/xen-$3/bin" "$release" >/etc/default/xentool-lab
"$here/guest-archive.sh" "$data" "$release" "$here/guest-initrd"
# Where QEMU emulates, CPU 0 is no place for hardware-assisted guests: see cpus_for_hvm in xentool/lab/qemu.py.
if grep -q 'QEMU TCG' /proc/cpuinfo && [ "$(nproc)" -gt 1 ]; then
    sed -i '/# xentool$/d' /etc/xen/xl.conf
    echo "vm.hvm.cpumask=\"1-$(($(nproc) - 1))\" # xentool" >>/etc/xen/xl.conf
fi
# A second run of this script changes nothing.
sed -i '/# xentool$/d' /etc/default/xen
echo 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console" # xentool' >>/etc/default/xen

# GRUB boots plain Linux unless told otherwise: what puts Xen first is in xen-hypervisor-common, which is only
# recommended. Its name sorts after that package's file. dom0 leaves the rest of the memory to guests.
mkdir -p /etc/default/grub.d
cat >/etc/default/grub.d/xentool.cfg <<'GRUB'
GRUB_DEFAULT="${GRUB_DISTRIBUTOR:-Debian} GNU/Linux, with Xen hypervisor"
GRUB_CMDLINE_XEN_DEFAULT="dom0_mem=1228M,max:1228M"
GRUB
update-grub
