"""Constants and layouts of Xen's public headers, a module a header; nothing here does anything."""
