#!/bin/sh
# Starts a guest under KVM and waits for its userland.
# usage: kvm-guest-start.sh NAME WORD DISK_MIB LOOKS NESTED <WORDS
# WORD is what its init prints when it is up; it is looked for LOOKS times. NESTED: 1 for nested paging, 0 for shadow page
# tables. WORDS are QEMU's, a line each; @IP@, @MAC@, @NUMBER@, @LOG@ and @KERNEL@ in them are filled in here.
# Exit status: 2 QEMU failed, 3 the guest died, 4 it took too long, 5 it runs already, 6 others need another paging.
. /etc/default/xentool-lab
. /etc/default/xentool-guests
here=/usr/lib/xentool-lab
name=$1 word=$2 disk_mib=$3 looks=$4 nested=$5
base=/var/lib/xentool/$name
log=/var/log/xentool/guest-$name.log

running=$("$here/kvm-guest-list.sh")
echo "$running" | grep -q "^$name " && exit 5

# How a guest's memory is paged is said to the module that knows the processor, as it is loaded.
module=kvm_amd parameter=npt
[ -d /sys/module/kvm_intel ] && module=kvm_intel parameter=ept
if [ "$(cat "/sys/module/$module/parameters/$parameter")" != "$(echo "$nested" | tr 01 NY)" ]; then
    [ -z "$running" ] || { echo "$running" | cut -d ' ' -f 1; exit 6; }
    modprobe -r "$module" && modprobe "$module" "$parameter=$nested" || exit 1
fi

number=$("$here/guest-number.sh" "$name")
mac=$(printf '52:54:00:58:54:%02x' "$number")
sed "s,@IP@,10.77.0.$((10 + number)),; s,@MAC@,$mac,; s,@NUMBER@,$number,; s,@LOG@,$log,; s,@KERNEL@,$KERNEL," >"$base.cfg"
rm -f "$base.img"
truncate -s "${disk_mib}M" "$base.img"
# The log holds the consoles of earlier guests of this name too.
before=$(stat -c %s "$log" 2>/dev/null || echo 0)
# Its vCPUs stay where they may run; what else QEMU does may be done anywhere.
xargs -d '\n' taskset -c "$GUEST_CPUS" qemu-system-x86_64 <"$base.cfg" || exit 2
pid=$(cat "$base.pid") || exit 3
taskset -cp "0-$(($(nproc --all) - 1))" "$pid" >/dev/null

while [ "$looks" -gt 0 ]; do
    looks=$((looks - 1))
    if grep -sq "xentool-guest: ready $word" "$log"; then
        echo "$pid"
        exit 0
    fi
    if [ ! -d "/proc/$pid" ]; then
        "$here/console-end.sh" "$log" "$before"
        exit 3
    fi
    sleep 0.4
done
"$here/console-end.sh" "$log" "$before"
"$here/kvm-guest-stop.sh" "$name"
exit 4
