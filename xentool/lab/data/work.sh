#!/bin/busybox sh
# Does pieces of work in a guest, each between two marks in the kernel's log, by which a trace is cut into phases.
# usage: work DISK REPEATS WORK:REQUESTS...
# The kernel writes its log to its consoles before the writer goes on: what comes between two marks is the work's.
export PATH=/bin
disk=$1 repeats=$2
shift 2
host=10.77.0.1
# A process of its own, whatever the shell has built in.
run=/bin/busybox

mark() { echo "<1>xentool-phase $*" >/dev/kmsg; }

# usage: do_work WORK REQUESTS
do_work() {
    case "$1" in
    # As much around no work as there is around others: one process.
    none) $run true ;;
    disk-write) $run dd if=/dev/zero of="$disk" bs=4k count="$2" oflag=direct conv=notrunc 2>/dev/null ;;
    disk-read) $run dd if="$disk" of=/dev/null bs=4k count="$2" iflag=direct 2>/dev/null ;;
    net) $run ping -q -s 1400 -c "$2" -i 0.02 "$host" >/dev/null ;;
    timer) $run ping -q -c "$2" -i 0.02 127.0.0.1 >/dev/null ;;
    # One more: it has none around it.
    fork) i=0; while [ "$i" -le "$2" ]; do $run true; i=$((i + 1)); done ;;
    idle) $run sleep "$2" ;;
    esac
}

# Who is asked for the first time has to be found: the host's address, programs in memory.
ping -q -c 1 "$host" >/dev/null
for each; do do_work "${each%:*}" 1; done
while [ "$repeats" -gt 0 ]; do
    repeats=$((repeats - 1))
    for each; do
        # The console's own wake-ups are over by then.
        usleep 200000
        mark begin "${each%:*}" "${each#*:}"
        do_work "${each%:*}" "${each#*:}"
        mark end "${each%:*}"
    done
done
usleep 200000
mark done
