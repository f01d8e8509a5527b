#!/bin/sh
# Prints the end of a guest's console; where its kernel says that it fails, from there.
# usage: console-end.sh LOG BEFORE; of BEFORE bytes are the consoles of earlier guests of that name
tail -c "+$(($2 + 1))" "$1" | awk '
    { line[NR] = $0 }
    !from && /BUG:|Oops|Kernel panic|general protection|invalid opcode|double fault/ { from = NR }
    END { for (i = from ? from : NR - 7; i <= NR && (!from || i < from + 40); i++) if (i > 0) print line[i] }'
