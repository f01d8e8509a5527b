#!/bin/sh
# Prints the guests that run, a line each: name, QEMU's process, type, CPUs, workload.
cd /var/lib/xentool || exit 0
for file in *.pid; do
    name=${file%.pid}
    pid=$(cat "$file" 2>/dev/null) || continue
    # A number may be another's by now.
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | awk -v name="$name" -v pid="$pid" '
        before == "-name" && $0 == name ",debug-threads=on" { found = 1 }
        before == "-smp" { vcpus = $0 }
        before == "-append" {
            for (i = split($0, words, " "); i; i--) if (split(words[i], pair, "=") == 2) option[pair[1]] = pair[2]
        }
        { before = $0 }
        END { if (found) print name, pid, option["xentool.type"], vcpus, option["xentool.workload"] }'
done
exit 0
