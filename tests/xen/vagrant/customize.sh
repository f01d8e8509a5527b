#!/bin/sh
# Of mmdebstrap, at its end: what makes a Debian a Vagrant box, and GRUB to boot it.
# usage: customize.sh ROOT PUBLIC_KEY UUID GRUB
# GRUB is a folder, for the two images that go before the disk's partition.
set -eu
root=$1 key=$2 uuid=$3 images=$4

# Its user, whom Vagrant's own key lets in until it gives him a new one.
chroot "$root" useradd -m -s /bin/bash vagrant
install -d -m 700 -o 1000 -g 1000 "$root/home/vagrant/.ssh"
install -m 600 -o 1000 -g 1000 "$key" "$root/home/vagrant/.ssh/authorized_keys"
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
chmod 440 "$root/etc/sudoers.d/vagrant"

# Who it is, and its network. By default a lease hangs on the interface's name too, which the first boot may see
# differently: Vagrant would then wait for ever at the machine's old address.
echo debian >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 debian\n' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
cat >"$root/etc/systemd/network/80-dhcp.network" <<'NETWORK'
[Match]
Type=ether
Kind=!*
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
ClientIdentifier=mac
NETWORK
echo 'UseDNS no' >"$root/etc/ssh/sshd_config.d/vagrant.conf"
rm -f "$root"/etc/ssh/ssh_host_*_key*
cat >"$root/etc/systemd/system/ssh-keys.service" <<'UNIT'
[Unit]
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl enable systemd-networkd.service ssh-keys.service
# Nothing that an emulated processor would do for nobody.
chroot "$root" systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer systemd-timesyncd.service getty@tty1.service

# GRUB, with a first menu: plain Linux, as in any box. update-grub replaces it.
echo "UUID=$uuid / ext4 errors=remount-ro,noatime 0 1" >"$root/etc/fstab"
cat >"$root/etc/default/grub" <<'GRUB'
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0"
GRUB_CMDLINE_LINUX_XEN_REPLACE="console=hvc0"
GRUB_CMDLINE_XEN="com1=115200,8n1 console=com1,vga"
GRUB_TERMINAL="serial console"
GRUB_DISABLE_OS_PROBER=true
GRUB
version=$(find "$root/boot" -name 'vmlinuz-*' -printf '%f\n' | sed 's/^vmlinuz-//')
mkdir -p "$root/boot/grub/i386-pc"
cp "$root"/usr/lib/grub/i386-pc/*.mod "$root"/usr/lib/grub/i386-pc/*.lst "$root/boot/grub/i386-pc/"
cat >"$root/boot/grub/grub.cfg" <<GRUB
set timeout=0
serial --unit=0 --speed=115200
terminal_output serial console
menuentry Debian {
  linux /boot/vmlinuz-$version root=UUID=$uuid ro console=tty0 console=ttyS0
  initrd /boot/initrd.img-$version
}
GRUB
chroot "$root" grub-mkimage -O i386-pc -o /tmp/core.img -p '(hd0,msdos1)/boot/grub' \
    biosdisk part_msdos ext2 normal configfile linux multiboot2 gzio serial search search_fs_uuid echo test
mv "$root/tmp/core.img" "$images/"
cp "$root/usr/lib/grub/i386-pc/boot.img" "$images/"

# All of dom0's packages are in it: `vagrant up` needs no network.
rm -rf "$root"/var/lib/apt/lists/* "$root"/etc/apt/sources.list.d/* "$root"/var/cache/apt/archives/*.deb
: >"$root/etc/apt/sources.list"
