#!/bin/sh
# Runs pip, of whose many words a few are shown: what it fetches and builds, how far compiling is, and its last ones if it
# fails.
# Words: LOG COMMAND...
log=$1
shift
{
    "$@" 2>&1
    echo "status $?"
} | tee "$log" | sed -un \
    -e 's/^ *Collecting \([A-Za-z0-9_.-]*\).*/  fetching \1/p' \
    -e 's/^ *Building wheel for \([A-Za-z0-9_.-]*\) .*: started/  building \1/p' \
    -e 's/^ *\(compiled [0-9]* of .*\)/  \1/p'
if [ "$(tail -n 1 "$log")" != 'status 0' ]; then
    tail -n 40 "$log" >&2
    exit 1
fi
