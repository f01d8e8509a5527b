#!/bin/sh
# Starts a guest and waits for its userland and its devices.
# usage: guest-start.sh NAME WORD DISK_MIB LOOKS <CONFIGURATION
# WORD is what its init prints when it is up; @IP@ and @KERNEL@ in the configuration are filled in here. It is looked for
# LOOKS times: on a busy machine a look takes longer, and so does the guest.
# Exit status: 2 xl failed, 3 the guest died, 4 it took too long, 5 it runs already.
. /etc/default/xentool-lab
here=/usr/lib/xentool-lab
name=$1 word=$2 disk_mib=$3 looks=$4
base=/var/lib/xentool/$name
log=/var/log/xen/console/guest-$name.log

xl domid "$name" >/dev/null 2>&1 && exit 5

number=$("$here/guest-number.sh" "$name")
sed "s,@IP@,10.77.0.$((10 + number)),; s,@KERNEL@,$KERNEL," >"$base.cfg"
rm -f "$base.img"
truncate -s "${disk_mib}M" "$base.img"
# The log holds the consoles of earlier guests of this name too.
before=$(stat -c %s "$log" 2>/dev/null || echo 0)
xl create -q "$base.cfg" || exit 2
id=$(xl domid "$name") || exit 3

# Prints what is not connected.
waiting() {
    for kind in vbd vif; do
        for device in $(xenstore-list "/local/domain/$id/device/$kind" 2>/dev/null); do
            front=$(xenstore-read "/local/domain/$id/device/$kind/$device/state")
            # QEMU's backends are of kinds of their own.
            back=$(xenstore-read "$(xenstore-read "/local/domain/$id/device/$kind/$device/backend")/state")
            # A network frontend says so before its backend does.
            [ "$front $back" = "4 4" ] && continue
            echo "$kind $device: frontend in state $front, backend in state $back"
        done
    done
}

while [ "$looks" -gt 0 ]; do
    looks=$((looks - 1))
    if grep -sq "xentool-guest: ready $word" "$log" && [ -z "$(waiting)" ]; then
        echo "$id"
        exit 0
    fi
    # Now and then: on an emulated machine each program takes time from the guest's start. A domain's node goes with it,
    # and to look for that takes less than to start xl.
    if [ $((looks % 4)) = 0 ] && ! xenstore-exists "/local/domain/$id"; then
        "$here/console-end.sh" "$log" "$before"
        exit 3
    fi
    sleep 0.4
done
"$here/console-end.sh" "$log" "$before"
waiting
xl destroy "$name"
exit 4
