"""Block devices: everything between a ring with its event channel and a disk, for both roles; without XenStore.

A backend's part of a queue is `backqueue`: ring → `request` (parse) → `execute` on one of `disks`. A frontend's is
`frontqueue`, and `client` makes reads and writes of any size out of several of those.
"""
