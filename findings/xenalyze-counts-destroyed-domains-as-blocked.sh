#!/bin/sh
# xenalyze counts the time in which a domain did not exist as blocked, where its domid is used again.
#
# Xen records the end of a domain (TRC_SCHED_DOM_REM) and the beginning of the next one (TRC_SCHED_DOM_ADD); domids are
# used again after a wrap, and at once where a toolstack asks for a certain one. The trace made here has domain 1 run for
# a second and block; it is destroyed a second later. Eleven seconds after that another domain 1 is created, and runs for
# a second. There was a blocked vCPU for one second; told are twelve.
#
# Seen with Debian 12's xen-utils-common 4.17.7+13-g2445b30a44-0+deb12u1:
#    blocked:       1 12.00s 12000000010 {12000000010|12000000010|12000000010}
# Needs apt-get (Debian 12, amd64) and python3. Fails when that is not seen any more.
set -eu
VERSION=4.17.7+13-g2445b30a44-0+deb12u1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q "xen-utils-common=$VERSION" > /dev/null
dpkg-deb -x xen-utils-common_*.deb .

python3 - > trace <<'MAKE'
import struct
import sys

SECOND = 1_000_000_000  # cycles; the clock is said to have 1 GHz
RUNNING, RUNNABLE, BLOCKED, OFFLINE = range(4)


def record(event, tsc, *words):
    return struct.pack(f"<IQ{len(words)}I", 1 << 31 | len(words) << 28 | event, tsc, *words)


def change(tsc, domid, old, new):
    return record(0x00021001 | old << 8 | new << 4, tsc, domid << 16)


records = [
    change(1 * SECOND, 1, RUNNABLE, RUNNING),
    change(2 * SECOND, 1, RUNNING, BLOCKED),
    change(2 * SECOND + 10, 0, RUNNABLE, RUNNING),
    record(0x00028002, 3 * SECOND, 1),  # TRC_SCHED_DOM_REM
    record(0x00028001, 14 * SECOND, 1),  # TRC_SCHED_DOM_ADD
    change(14 * SECOND + 10, 1, OFFLINE, RUNNABLE),
    change(14 * SECOND + 1010, 0, RUNNING, RUNNABLE),
    change(14 * SECOND + 1010, 1, RUNNABLE, RUNNING),
    change(15 * SECOND, 1, RUNNING, BLOCKED),
]
body = b"".join(records)
sys.stdout.buffer.write(struct.pack("<III", 0x2001F003, 0, len(body)) + body)  # a window of pCPU 0
MAKE

usr/bin/xenalyze --cpu-hz 1G --summary trace 2>&1 | sed -n '/Domain 1 --/,/^-- v0/p' > told
grep blocked told
grep -q '^ *blocked: *1 *12\.00s 12000000010 ' told
