"""Constants and layouts of public headers, Xen's above all, a module a header; nothing here does anything."""
