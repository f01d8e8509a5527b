"""Packets ↔ a ring's messages, without the ring: sent (`tx_front`, `tx_back`) and received (`rx_back`, `rx_front`).

Law: pure functions of bytes; nothing here touches rings, grants or ports. What a peer wrote is a copy that it cannot
change any more, and is judged before anything is done with it. Slots of extra information stand after a packet's first
slot, in both directions.

This is the specification of what is compiled.

Ref: xen/include/public/io/netif.h, "Guest transmit", "Guest receive" and "Extra Info"; where it leaves open what
becomes of nonsense, Linux drivers/net/xen-netback and xen-netfront.c
"""
