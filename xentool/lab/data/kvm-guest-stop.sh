#!/bin/sh
# Ends a guest and removes its files.
# usage: kvm-guest-stop.sh NAME; exit status 5: there is none.
base=/var/lib/xentool/$1
pid=$(/usr/lib/xentool-lab/kvm-guest-list.sh | awk -v name="$1" '$1 == name { print $2 }')
[ -n "$pid" ] || exit 5
# QEMU ends in order; its guest is not asked, and its disk goes with it.
kill "$pid"
tries=50
while [ -d "/proc/$pid" ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || kill -KILL "$pid"
    sleep 0.2
done
rm -f "$base.img" "$base.cfg" "$base.pid" "$base.qmp"
