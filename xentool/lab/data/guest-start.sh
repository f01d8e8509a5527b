#!/bin/sh
# Starts a guest and waits for its userland and its devices.
# usage: guest-start.sh NAME WORD DISK_MIB SECONDS <CONFIGURATION
# WORD is what its init prints when it is up; @IP@ and @KERNEL@ in the configuration are filled in here.
# Exit status: 2 xl failed, 3 the guest died, 4 it took too long, 5 it runs already.
. /etc/default/xentool-lab
name=$1 word=$2 disk_mib=$3 seconds=$4
base=/var/lib/xentool/$name
log=/var/log/xen/console/guest-$name.log

xl domid "$name" >/dev/null 2>&1 && exit 5

# An address for good: the number of the line that holds the guest's name.
exec 9>>/var/lib/xentool/names.lock
flock 9
touch /var/lib/xentool/names
grep -qxF "$name" /var/lib/xentool/names || echo "$name" >>/var/lib/xentool/names
number=$(grep -nxF "$name" /var/lib/xentool/names | cut -d: -f1)
exec 9>&-

sed "s,@IP@,10.77.0.$((10 + number)),; s,@KERNEL@,$KERNEL," >"$base.cfg"
rm -f "$base.img"
truncate -s "${disk_mib}M" "$base.img"
xl create -q "$base.cfg" || exit 2
id=$(xl domid "$name") || exit 3

connected() {
    for kind in vbd vif; do
        for device in $(xenstore-list "/local/domain/$id/device/$kind" 2>/dev/null); do
            [ "$(xenstore-read "/local/domain/$id/device/$kind/$device/state")" = 4 ] || return 1
        done
    done
}

end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt $end ]; do
    if grep -sq "xentool-guest: ready $word" "$log" && connected; then
        echo "$id"
        exit 0
    fi
    if ! xl domid "$name" >/dev/null 2>&1; then
        tail -n 8 "$log"
        exit 3
    fi
    sleep 0.2
done
tail -n 8 "$log"
xl destroy "$name"
exit 4
