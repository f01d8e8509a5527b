#!/bin/sh
# Makes the guests' start-up archive in a dom0 that no lab has made: busybox, modules and an init, as
# xentool/lab/initramfs.py packs them for a lab.
# usage: guest-archive.sh DATA KERNEL_RELEASE ARCHIVE
set -eu
data=$1 release=$2 archive=$3
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

for name in bin proc sys dev modules root sbin; do mkdir "$tree/$name"; done
cp "$(command -v busybox)" "$tree/bin/busybox"
cp "$data/guest.init" "$tree/init"
cp "$data/work.sh" "$tree/bin/work"
# The kernel runs this when the toolstack asks for a shutdown; process 1 is a shell that no signal would end.
printf '#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n' >"$tree/sbin/poweroff"
chmod 755 "$tree/bin/busybox" "$tree/bin/work" "$tree/init" "$tree/sbin/poweroff"

# Each with what it needs before it, once.
modules=$(grep -v '^#' "$data/guest-modules.list")
for module in $modules; do
    modprobe -S "$release" --show-depends "$module"
done >"$tree/needed"
while read -r word path _; do
    file=$tree/modules/${path##*/}
    if [ "$word" = insmod ] && [ ! -e "$file" ]; then
        cp "$path" "$file"
        echo "${path##*/}" >>"$tree/modules/order"
    fi
done <"$tree/needed"
rm "$tree/needed"

(cd "$tree" && find . >"$archive.list" && cpio -o -H newc --quiet <"$archive.list" >"$archive.part")
rm "$archive.list"
gzip -1 <"$archive.part" >"$archive"
rm "$archive.part"
