#!/bin/sh
# Runs each line of its standard input as a command and prints it, what it printed, and its exit status.
while IFS= read -r line; do
    printf '$ %s\n' "$line"
    sh -c "$line" 2>&1 </dev/null
    printf '= %d\n' $?
done
