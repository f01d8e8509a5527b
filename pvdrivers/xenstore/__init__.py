"""XenStore: the wire, the store, and a server of it that needs no Xen.

What it does is what the C xenstored of Xen's master branch does (tools/xenstored); where there is a difference, the
module says so. A store in a process without Xen has no hypervisor to ask, hence:

- every domid below 0x7FF0 counts as an existing domain, and one ends when it is released;
- a domain's ring is a socket of its own, and INTRODUCE takes note of page and event channel without using them;
- domains are not slowed down when they write much (xenstored's write rate limit).
"""
