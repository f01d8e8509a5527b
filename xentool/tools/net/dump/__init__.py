"""A vif's traffic for who watches it: shown by the daemon that serves it, over a socket, and written as a capture."""
