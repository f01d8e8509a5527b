#!/bin/sh
# The guests' consoles: kept in /var/log/xen/console/guest-NAME.log.
. /etc/default/xentool-lab
exec "$XEN_BIN/xenconsoled" -i --log=guest --log-dir=/var/log/xen/console
