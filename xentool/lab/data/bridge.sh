#!/bin/sh
# The guests' network: a bridge of its own, with dom0 at 10.77.0.1.
set -e
ip link add name xentool0 type bridge forward_delay 0
ip address add 10.77.0.1/24 dev xentool0
ip link set xentool0 up
