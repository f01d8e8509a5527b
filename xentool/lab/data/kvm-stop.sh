#!/bin/sh
# Ends the guests, then the machine; returns before it does, so that the connection ends in order.
/usr/lib/xentool-lab/kvm-guest-list.sh | while read -r name _; do /usr/lib/xentool-lab/kvm-guest-stop.sh "$name"; done
setsid sh -c 'sleep 0.2; exec busybox poweroff -f' </dev/null >/dev/null 2>&1 &
