#!/bin/sh
# The main job from beginning to end: real Xen boots, a PV domU works on it, a trace shows what it does.
# usage: demo.sh XENTOOL FOLDER
set -eu
xentool=$1
folder=$2
lab=demo

step() {
    printf '\n$ xentool %s\n' "$*"
    "$xentool" "$@"
}

trap '"$xentool" lab down --name "$lab" >/dev/null 2>&1 || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$folder"

step lab up --name "$lab"
step lab guest start domU --workload mixed --name "$lab"
step trace domU --host "lab:$lab" --duration 10 --output "$folder/domU.xentrace"
step export "$folder/domU.xentrace" --format perfetto --output "$folder/domU.perfetto-trace"
step report "$folder/domU.xentrace" --html "$folder/domU.html"
step lab down --name "$lab"

printf '\nKept in %s/: domU.html (a browser), domU.perfetto-trace (ui.perfetto.dev), domU.xentrace (xentool report, xenalyze).\n' "$folder"
printf 'To look around in a lab of your own: xentool lab up; xentool lab guest start domU; xentool lab shell\n'
printf 'What labs keep, and how large it is: '
"$xentool" lab clean --dry-run | tail -n 1
