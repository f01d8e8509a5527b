#!/bin/sh
# Ends the guests, then the machine; returns before it does, so that the connection ends in order.
timeout 4 xl shutdown -a -w >/dev/null 2>&1
setsid sh -c 'sleep 0.2; exec busybox poweroff -f' </dev/null >/dev/null 2>&1 &
