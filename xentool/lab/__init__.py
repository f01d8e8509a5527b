"""Real Xen, or KVM, under QEMU: builds images from Debian packages, runs them, and starts guests in them."""
