#!/bin/sh
# Stops a guest in order, or by force when it does not follow within 10 s.
# usage: guest-stop.sh NAME; exit status 5: there is none.
xl domid "$1" >/dev/null 2>&1 || exit 5
timeout 10 xl shutdown -w "$1" >/dev/null 2>&1 || xl destroy "$1"
# The xl that started it takes the domain and its devices down after that; it need not be there any more.
tries=50
while xl domid "$1" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || xl destroy "$1" || exit 1
    sleep 0.2
done
rm -f "/var/lib/xentool/$1.img" "/var/lib/xentool/$1.cfg"
