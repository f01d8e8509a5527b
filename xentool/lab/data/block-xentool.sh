#!/bin/sh
# Hotplug script for a guest's disk: Debian's own runs a hundred programs, which takes seconds under emulation.
# libxl gives the command and XENBUS_PATH, the backend's directory in XenStore.
set -e
case "$1" in
add)
    file=$(xenstore-read "$XENBUS_PATH/params")
    node=$(losetup --find --show --direct-io=on "$file" 2>/dev/null || losetup --find --show "$file")
    number=$(stat -L -c '%t:%T' "$node")
    xenstore-write "$XENBUS_PATH/node" "$node" \
        "$XENBUS_PATH/physical-device" "$number" \
        "$XENBUS_PATH/physical-device-path" "$node" \
        "$XENBUS_PATH/hotplug-status" connected
    ;;
remove)
    node=$(xenstore-read "$XENBUS_PATH/node" 2>/dev/null) && losetup --detach "$node"
    ;;
esac
exit 0
