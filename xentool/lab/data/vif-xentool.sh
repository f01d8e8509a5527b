#!/bin/sh
# Hotplug script for a guest's network interface: joins the backend's end, $vif, to the bridge.
set -e
case "$1" in
online | add)
    ip link set dev "$vif" master xentool0 up
    xenstore-write "$XENBUS_PATH/hotplug-status" connected
    ;;
esac
exit 0
