"""Frames with a virtio_net_hdr before each, compiled: those that are passed on as they came, or all but their sum."""
