#!/bin/sh
# Linux's /dev/xen/xenbus spoils a request when the next one is written before its reply has come.
#
# XenStore's protocol numbers requests, so that many may be under way. Linux's device takes them all: until its thread has
# passed a request on, that one lies in the open file's only buffer, where the next write goes. The store then gets the
# first header with other bytes behind it. What is asked for here are four nodes that exist, in dom0, with one, two and
# four reads under way. Over the socket of the same store all three are right; over the device only the first is. Who
# shares a file among threads (pyxs's router does) has to wait for each reply before the next request.
#
# Seen with Debian 12's linux-image-6.1.0-57-amd64 6.1.192-3 and xen-hypervisor-4.17-amd64, xen-utils-4.17 (oxenstored)
# 4.17.7+13-g2445b30a44-0+deb12u1, in emulation:
#    socket 4 wrong 0 of 1600
#    device 1 wrong 0 of 400
#    device 2 wrong 194 of 800 EINVAL
#    device 4 wrong 406 of 1600 EINVAL
# Needs root, apt-get (Debian 12, amd64), mmdebstrap, cpio and qemu-system-x86. Fails when that is not seen any more.
set -eu
LINUX=6.1.192-3
XEN=4.17.7+13-g2445b30a44-0+deb12u1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mmdebstrap --quiet --variant=extract \
    --include="linux-image-6.1.0-57-amd64=$LINUX,xen-hypervisor-4.17-amd64=$XEN,xen-utils-4.17=$XEN" \
    --include=python3-minimal,busybox-static bookworm root
gzip -dc root/boot/xen-4.17-amd64.gz > xen
mv root/boot/vmlinuz-* .
mkdir modules
find root/lib/modules -name 'xen-evtchn.ko' -o -name 'xen-gntdev.ko' -o -name 'xen-privcmd.ko' -o -name 'xenfs.ko' |
    xargs -I{} cp {} modules
rm -rf root/lib/modules root/usr/lib/modules root/boot root/usr/share/doc root/usr/share/locale root/var/cache
mv modules root/modules
mkdir -p root/proc root/sys root/dev root/run root/tmp
ln -sfn /run root/var/run

cat > root/probe.py <<'PROBE'
import os
import socket
import struct

HEADER = struct.Struct("<IIII")  # type, request, transaction, bytes
READ, ERROR = 2, 16
PATHS = [b"/local/domain/0/name\0", b"/local/domain/0/domid\0", b"/local\0", b"/tool\0"]


def taken(read, size):
    data = b""
    while len(data) < size:
        data += read(size - len(data))
    return data


def ask(write, read, under_way):
    for number in range(under_way):
        path = PATHS[number % len(PATHS)]
        write(HEADER.pack(READ, number, 0, len(path)) + path)
    replies = {}
    for _ in range(under_way):
        kind, number, _, size = HEADER.unpack(taken(read, HEADER.size))
        replies[number] = (kind, taken(read, size) if size else b"")
    return [replies[number] for number in range(under_way)]


store = socket.socket(socket.AF_UNIX)
store.connect("/run/xenstored/socket")
device = os.open("/dev/xen/xenbus", os.O_RDWR)
ways = {
    "socket": (store.sendall, store.recv),
    "device": (lambda data: os.write(device, data), lambda size: os.read(device, size)),
}
right = ask(*ways["socket"], len(PATHS))
assert all(kind == READ for kind, _ in right), right
for name, way in ways.items():
    for under_way in (1, 2, 4):
        wrong = [
            reply
            for _ in range(400)
            for reply, expected in zip(ask(*way, under_way), right)
            if reply != expected
        ]
        said = sorted({value.strip(b"\0").decode("ascii", "replace") for kind, value in wrong if kind == ERROR})
        print("TOLD", name, under_way, "wrong", len(wrong), "of", 400 * under_way, *said, flush=True)
PROBE

cat > root/probe <<'INIT'
#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
busybox mount -t proc none /proc
busybox mount -t sysfs none /sys
busybox mount -t devtmpfs none /dev
busybox mount -t tmpfs none /run
busybox mkdir -p /run/xen /run/xenstored /var/log/xen /var/lib/xenstored
for module in xen-privcmd xen-evtchn xen-gntdev xenfs; do busybox insmod /modules/$module.ko; done
busybox mount -t xenfs none /proc/xen
/usr/lib/xen-4.17/bin/oxenstored --pid-file /run/xen/oxenstored.pid
/usr/lib/xen-4.17/bin/xen-init-dom0
python3 /probe.py
busybox poweroff -f
INIT
chmod +x root/probe
(cd root && find . | cpio --quiet -o -H newc) > initrd

# Its machine: without what Xen does not find its way with in emulation.
timeout 900 qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max,-smap,-rdtscp,-xsave,-avx,-avx2,-erms \
    -m 2048 -smp 2 -nodefaults -display none -no-reboot -serial stdio -kernel xen \
    -append "com1=115200,8n1 console=com1 dom0_mem=1536M" \
    -initrd "$(echo vmlinuz-*) console=hvc0 quiet rdinit=/probe,initrd" > console || true
tr -d '\r' < console | sed -n 's/^.*TOLD //p' > told
cat told
grep -q '^socket 4 wrong 0 ' told
grep -q '^device 1 wrong 0 ' told
grep -q '^device 2 wrong [1-9].*EINVAL' told
