"""Split network drivers in userspace, both halves.

Ref: xen/include/public/io/netif.h; Linux drivers/net/xen-netback and xen-netfront.c
"""
