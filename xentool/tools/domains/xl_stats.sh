# What xl and dom0's kernel know of all domains, in one go so that it belongs together; a form feed ends each part.
# $1: a Python program that prints each domain's exact CPU time; $2: "all", or "" for what changes from moment to moment
set -e
end() { printf '\f'; }

cat /proc/uptime
end
xl list
end
# xl rounds to tenths of a second: a tenth of one second's CPU. Without Xen's Python binding that has to do.
python3 -c "$1" "$2" 2>/dev/null || true
end
if [ "$2" = all ]; then xl list --long; fi
end
if [ "$2" = all ]; then xl vcpu-list; fi
end
# All backends in dom0, also those that have no driver in its kernel and so no counters there.
ls /sys/bus/xen-backend/devices 2>/dev/null || true
end
# tapback's counters: a file of eight-byte words for each disk.
for file in /dev/shm/td3-*/vbd-*-*; do
    [ -f "$file" ] && echo "${file##*/}" $(od -A n -v -t u8 -N 96 "$file") || true
done
cd /sys/bus/xen-backend/devices 2>/dev/null || exit 0
grep -s . vbd-*/statistics/* vif-*/net/*/statistics/[rt]x_bytes vif-*/net/*/statistics/[rt]x_packets \
    vif-*/net/*/statistics/[rt]x_errors vif-*/net/*/statistics/[rt]x_dropped || true
